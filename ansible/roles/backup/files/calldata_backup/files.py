"""Parts that are files: {"kind": "files", "paths": [...], "exclude": [...]}.

Paths are restored exactly: what is not in the backup goes away, but for what is excluded, which belongs to the machine.
"""

import contextlib
import os
import shutil

from .system import ROOT, run


def tar_of(root, names, exclude=(), options=()):
    """The command that prints a tar of names below root. Owners are stored by name too: numbers differ between machines."""
    return ["tar", "--create", "--directory", root or "/", "--xattrs", "--acls", "--sparse", "--warning=no-file-changed", *options,
            *[f"--exclude={pattern.lstrip('/')}" for pattern in exclude], "--", *[name.lstrip("/") for name in names]]


def remove(name):
    if os.path.isdir(name) and not os.path.islink(name):
        shutil.rmtree(name)
    else:
        os.unlink(name)


class Files:
    def __init__(self, part, settings):
        self.part, self.settings = part, settings

    def only_one(self, source):
        """Files belong to one machine."""
        return contextlib.nullcontext()

    def save(self, work):
        """The tar to store, and what the manifest is to know of it."""
        present = [p for p in self.part["paths"] if os.path.lexists(ROOT + p)]
        absent = [p for p in self.part["paths"] if p not in present]
        if not present:  # an empty archive is valid; a missing path is no failure
            return ["tar", "--create", "--files-from=/dev/null"], {"paths": [], "absent": absent}
        return tar_of(ROOT, present, self.part.get("exclude", ())), {"paths": present, "absent": absent}

    def objections(self, saved, versions):
        return []

    def local_bytes(self, saved):
        """Bytes outside of the restore's own directories."""
        return 0

    def _sync(self, tree, name):
        """Make name what it is below tree."""
        source, target = tree + name, ROOT + name
        if not os.path.lexists(source):
            return
        os.makedirs(os.path.dirname(target), exist_ok=True)
        if os.path.isdir(source) and not os.path.islink(source):
            source, target = source + "/", target + "/"
        # A pattern that begins with a slash is anchored at the directory that is copied. Source: rsync(1), "FILTER RULES".
        inside = [p[len(name):] for p in self.part.get("exclude", ()) if p.startswith(name + "/")]
        run(["rsync", "--archive", "--acls", "--xattrs", "--hard-links", "--delete",
             *[f"--exclude={p}" for p in inside], source, target], f"restore {name}")

    def keep(self, tree, kept, run_id):
        shutil.rmtree(kept, ignore_errors=True)
        os.makedirs(kept, mode=0o700)
        for name in self.part["paths"]:
            if os.path.lexists(ROOT + name):
                os.makedirs(os.path.dirname(kept + name), exist_ok=True)
                run(["cp", "--archive", "--", ROOT + name, kept + name], f"keep a copy of {name}")

    def load(self, tree, run_id):
        """Everything that can fail before the old is gone; files need nothing."""

    def swap(self, tree, run_id):
        for name in self.part["paths"]:
            self._sync(tree, name)

    def undo(self, kept, saved, run_id):
        if not os.path.isdir(kept):
            return  # not touched yet
        for name in self.part["paths"]:
            if os.path.lexists(kept + name):
                self._sync(kept, name)
            elif name in saved["paths"] and os.path.lexists(ROOT + name):
                remove(ROOT + name)

    def forget(self, run_id):
        """Nothing of earlier restores is outside of their directories."""
