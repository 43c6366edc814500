"""What went wrong, from the words of OpenSSH's client."""

from __future__ import annotations

from nestkit.errors import ConnectionFailed, CredentialsError, NestkitError, TrustError


def failure(target: str, words: bytes) -> NestkitError:
    """The error that the client's words mean."""
    said = words.decode("utf-8", "replace").strip()
    last = said.splitlines()[-1].strip() if said else "the connection ended"
    where = f"ssh to {target}"
    if "IDENTIFICATION HAS CHANGED" in said or "key revoked" in said.lower():
        return TrustError(
            f"{where}: the host's key has changed; nothing was sent to it",
            remedy="if the machine was set up anew, compare its key's fingerprint and remove "
            "the old key with ssh-keygen -R HOST; if not, somebody else may be answering",
        )
    if "key verification failed" in said or "host key is known" in said:
        return TrustError(
            f"{where}: the host's key is not known; nothing was sent to it",
            remedy="connect once by hand (ssh HOST) and compare the fingerprint, or name a "
            "file that holds the key: known_hosts=…",
        )
    if "Permission denied" in said or "Too many authentication" in said:
        return CredentialsError(
            f"{where}: the host let nobody in: {last}",
            remedy="put your public key on it (ssh-copy-id), load your key into ssh-agent, "
            "or name it: identity=…; passwords are never asked for",
        )
    return ConnectionFailed(
        f"{where} failed: {last}", remedy="check that `ssh HOST true` works from a terminal"
    )
