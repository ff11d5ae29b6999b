"""What a check found, for programs."""

import json

from deepgbass.data.audit import Audit

# The images with the greatest share of ignored pixels that are named.
_MOST_IGNORED = 8


def to_json(audit: Audit) -> str:
    """All that was found, as JSON text.

    `version` grows when a key changes its meaning or goes.
    """
    problems = [
        {
            "kind": problem.kind,
            "severity": problem.severity,
            "split": problem.split or None,
            "title": problem.title,
            "advice": problem.advice,
            "findings": [
                {"place": finding.place, "detail": finding.detail}
                for finding in problem.findings
            ],
        }
        for problem in audit.problems
    ]
    content = {
        "version": 1,
        "name": audit.info.name,
        "protocol": audit.info.protocol,
        "passed": not audit.errors,
        "errors": audit.errors,
        "warnings": len(audit.problems) - audit.errors,
        "problems": problems,
        "splits": {
            name: _split_values(audit, split)
            for name, split in audit.splits.items()
        },
    }
    return json.dumps(content, indent=1) + "\n"


def _split_values(audit, split):
    names = audit.info.class_names
    shares = split.shares
    return {
        "images": len(split.good),
        "bad": split.bad,
        "sizes": [
            {"height": height, "width": width, "images": count}
            for (height, width), count in sorted(split.sizes.items())
        ],
        "ignored_share": split.ignored_share,
        "ignored_width": split.ignored_width,
        "hidden_boundary_share": split.hidden_share,
        "most_ignored": [
            {"place": str(entry), "share": entry.ignored}
            for entry in split.most_ignored(_MOST_IGNORED)
        ],
        "classes": [
            {
                "name": name,
                "pixels": int(split.pixels[i]),
                "share": float(shares[i]),
                "images": int(split.images[i]),
                "boundary": int(split.boundary[i]),
                "hidden_boundary": int(split.hidden[i]),
            }
            for i, name in enumerate(names)
        ],
    }
