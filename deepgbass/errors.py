"""The one exception for what a user can put right."""


class UserError(ValueError):
    """Bad input, named so that the user can mend it.

    The message is one line: the file or flag, what was found, what to do.
    Commands print it without a traceback and exit with status 1.
    """
