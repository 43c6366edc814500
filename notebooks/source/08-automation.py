# ---
# jupyter:
#   nestkit:
#     number: "08"
#     title: Automation
#     minutes: 45
#     items: [twice, quiz-status, quiz-role, quiz-destroy]
# ---

# %% [markdown]
# # 08 Automation
#
# **45 minutes** · before: [07 Use cases](07-use-cases.ipynb) · next: [09
# Troubleshooting](09-troubleshooting.ipynb)
#
# **Questions**
#
# - How do I get from clicks to a script that may run every night?
# - How does a pipeline know whether a host can nest?
# - How do I build an environment for one test, and get rid of it again?
#
# **You will**
#
# - print one plan as PowerCLI, as PowerShell, and as a pipeline's step;
# - let exit statuses decide;
# - write a program whose second run changes nothing;
# - bring a lab up, test in it, and destroy it.

# %% [markdown] tags=["solution"]
# > This is the **solution** edition: all cells are filled in and were run. To work yourself,
# > open [the lesson](../08-automation.ipynb).

# %% [markdown] tags=["instructor"]
# **Timing** (45 min): scripts 10 · exit statuses 5 · pipeline step 10 · exercise 10 · job 5 ·
# quiz 5.
#
# **Expected answer** of the exercise: three lines, see the solution edition. Any program passes
# that leaves a ready VM alone; the check counts what is done to the host. To apply an empty plan
# does nothing, so a program that never looks passes too; looking first says what it means.
#
# **Common mistakes**: powering the VM off first, “to be safe”; making one VM ready by name and not
# the one that was asked for; a `try … except: pass` around it all, which makes every run look good.

# %%
import subprocess
import sys

import nestkit as nk

esx = nk.connect("practice://esx")
hyperv = nk.connect("practice://hyperv")

# %% [markdown]
# ## A plan is a script
#
# Both platforms can be automated: ESXi by **PowerCLI**, which configures nested VMs and deploys
# ESXi in them, Hyper-V by **PowerShell**, which creates VMs, exposes the extensions and installs
# features. You need not write either by hand. A plan holds exactly the changes that *this* VM
# needs, and can print itself as either:

# %%
plan = nk.configure.plan(esx, vm=nk.course.vm_for(esx, "esx.vm.nested-hv"))
print(plan.script("powercli"))

# %%
with_role = nk.NestedGoal(install_role=True)
print(nk.configure.plan(hyperv, vm="nested-hv-20", goal=with_role).script("powershell"))

# %% [markdown]
# (Does a script change nothing? Then its VM is still as lesson 03 or 04 made it.
# `nk.practice.reset()` puts the practice hosts back; run the two cells again.)
#
# Compare them with the five lines that guides usually print, and look for these:
#
# - **Names are qualified** (`Hyper-V\Get-VM`): both vendors have a `Get-VM`, and with both modules
#   loaded the wrong one may answer.
# - **The VM is found by its id**, since names repeat.
# - **The VM is off** before its processor is changed: the guest is asked to shut down, and waited
#   for.
# - **The role is installed inside the guest.** The same line on the host would restart the host.
# - **Only the VM's own port groups are loosened**, where they must be, never all switches of the
#   host. (The plan for the firewall in lesson 07 was such a step.)

# %% [markdown]
# ## Exit statuses decide
#
# A pipeline does not read reports. It looks at the **exit status**, the number with which a program
# ends:
#
# | status | meaning | what a pipeline does |
# |---|---|---|
# | 0 | nothing blocks (preflight), or done and verified (apply) | goes on |
# | 1 | the host was asked, and something blocks | repairs it, or stops and shows the report |
# | 2 | it could not be done: no connection, wrong password, unknown VM | stops and calls a person |


# %%
def nestkit(*words):
    """What a terminal would run: nestkit preflight practice://esx --vm …"""
    return subprocess.run([sys.executable, "-m", "nestkit", *words], capture_output=True)


for vm in ("nested-esxi-02", "nested-esxi-06", "no-such-vm"):
    print(vm, "→ exit status", nestkit("preflight", "practice://esx", "--vm", vm).returncode)

# %% [markdown]
# With `--json` the same findings come as data, with a schema number. With `--strict` a required
# fact that is unknown gives status 1 too.

# %% [markdown]
# ## A plan as a pipeline's step
#
# Here is the first plan once more, as a shell script for any pipeline. It asks preflight first and
# leaves a ready VM alone. The plan travels in it with its digest: an edited plan is refused, and so
# is one for a VM that has changed since. What fails is taken back.

# %%
print(plan.script("pipeline"))

# %% [markdown]
# Saved as `make-ready.sh` it is one step in GitHub Actions, with the password from the secrets.
# Other systems look much alike:
#
# ```yaml
# jobs:
#   nested-host:
#     runs-on: [self-hosted, lab]
#     steps:
#       - run: sh make-ready.sh
#         env:
#           NESTKIT_URL: esx://ci@esxi01.lab
#           NESTKIT_PASSWORD: ${{ secrets.ESXI_PASSWORD }}
# ```

# %% [markdown]
# ## Exercise: the second run changes nothing
#
# A program that runs every night must not switch VMs off and on every night. Write a function
# `ready(host, vm)` that makes a VM ready to host a hypervisor, and does *nothing* to a VM that is
# ready. The check gives it a private practice host, runs it twice, and counts what is done to the
# host.

# %% tags=["learner"]
ready = ...  # def ready(host, vm): …


# %% tags=["solution"]
def make_ready(host, vm):
    plan = nk.configure.plan(host, vm)
    if not plan.is_empty:
        nk.configure.apply(plan, host)


ready = make_ready

# %%
nk.course.check("08.twice", ready)

# %% [markdown]
# ## Up, test, destroy
#
# Test environments should live as long as their test. The lab of this course does it on your own
# machine: it boots real virtual machines, runs one command in the innermost, passes its output and
# exit status on, and leaves nothing behind, whatever happens. In a pipeline it is one line:
#
# ```sh
# nestkit lab run --depth 1 -- grep -c -E 'vmx|svm' /proc/cpuinfo
# ```
#
# `grep` ends with status 0 where it finds something: does the processor that the VM sees offer VT-x
# (`vmx`) or AMD-V (`svm`)? Try it. The first time the image is built; afterwards a start takes some
# seconds. (On Windows and macOS it says why not.)

# %%
form = nk.course.job_form()
form

# %% [markdown]
# The same in Python, for tests that need more than one command:
#
# ```python
# with nk.lab.up(depth=2) as lab:
#     assert lab.run(["uname", "-r"]).rc == 0
# ```
#
# When the block ends, the machines end: also when the assertion fails, or you press Ctrl-C.

# %% [markdown]
# ## Quiz

# %%
quiz = nk.course.quiz("08")
quiz

# %% tags=["solution"]
quiz.asked[0].choose(0)
quiz.asked[1].choose(1)
quiz.asked[2].choose(0, 1)
right = [asked.submit() for asked in quiz.asked]
quiz

# %% [markdown]
# ## Key points
#
# - A plan is a script that fits this VM, with the corrections that short samples lack.
# - Status 1 is an answer; status 2 means that nobody could be asked.
# - What may run every night looks first, and leaves alone what is right.
# - Build on demand, destroy in every case.
#
# **Next:** [09 Troubleshooting](09-troubleshooting.ipynb)
