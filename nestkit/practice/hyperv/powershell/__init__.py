"""A bounded evaluator of the part of Windows PowerShell 5.1 that the kit and its lessons use.

It reaches no file, process or network. What it does not speak it refuses with a message that
says so.
"""

from nestkit.practice.hyperv.powershell.interpreter import Interpreter, Result
from nestkit.practice.hyperv.powershell.limits import Limits

__all__ = ["Interpreter", "Limits", "Result"]
