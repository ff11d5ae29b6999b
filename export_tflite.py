"""Exports a trained network to TFLite. See deepgbass/commands/export.py."""

from deepgbass.commands.export import run

if __name__ == "__main__":
    run()
