# ---
# jupyter:
#   nestkit:
#     number: "04"
#     title: Hyper-V on Windows Server 2022
#     minutes: 50
#     items: [plain, applied, rolled-back, quiz-start, quiz-where, quiz-network, quiz-memory]
# ---

# %% [markdown]
# # 04 Hyper-V on Windows Server 2022: make a VM a host
#
# **50 minutes** · before: [03 ESXi 8](03-esxi.ipynb) · next: [05
# Cross-platform](05-cross-platform.ipynb)
#
# **Questions**
#
# - What has to change so that a VM on Windows Server 2022 can run Hyper-V itself?
# - Which of it can Hyper-V Manager do, and which only PowerShell?
# - How do I work *inside* the VM without a network to it?
#
# **You will**
#
# - send PowerShell to a host from Python, and repair a VM with it;
# - plan, apply and verify the six steps, the last one inside the guest;
# - take it back, and see what cannot be taken back.

# %% [markdown] tags=["solution"]
# > This is the **solution** edition: all cells are filled in and were run. To work yourself,
# > open [the lesson](../04-hyper-v.ipynb).

# %% [markdown] tags=["instructor"]
# **Timing** (50 min): six steps 5 · PowerShell from Python and exercise *plain* 12 · PowerShell
# Direct 6 · preflight, plan, apply 12 · scripts and GUI 4 · network 4 · rollback 4 · quiz 3.
#
# **Before the class**: `nestkit reset`, so that the VMs have their faults again.
#
# **No Windows is needed** here: the practice host speaks what WinRM speaks, and understands the
# part of PowerShell that these tasks take. It refuses the rest with a clear message. Say this at
# the start; somebody will try `Get-Process`.

# %%
import winrm

import nestkit as nk

host = nk.connect("practice://hyperv")  # a real one: hyperv://Administrator@hv01.lab
VM = "nested-hv-20"  # on a real host: the VM that shall run Hyper-V
host.read(VM).product

# %% [markdown]
# ## Six steps
#
# | | step | cmdlet | while the VM is |
# |---|---|---|---|
# | 1 | stop it | `Stop-VM` | on |
# | 2 | expose virtualization extensions | `Set-VMProcessor -ExposeVirtualizationExtensions` | off |
# | 3 | allow MAC address spoofing | `Set-VMNetworkAdapter -MacAddressSpoofing` | on or off |
# | 4 | switch Dynamic Memory off | `Set-VMMemory -DynamicMemoryEnabled` | off |
# | 5 | start it | `Start-VM` | off |
# | 6 | install the Hyper-V role **inside** | `Install-WindowsFeature` | on |
#
# The host needs Windows Server 2016 or newer on Intel, and **2022** on AMD. The VM needs
# configuration version 8.0; on AMD Microsoft asks for 9.3. Lesson 02 has all the requirements.

# %% [markdown]
# ## PowerShell, sent from Python
#
# Windows Server takes PowerShell over the network by a service called **WinRM** (Windows Remote
# Management). The plain way to use it from Python is the package `pywinrm`. Below it logs in with
# NTLM, Windows' own way of proving a password without sending it, and all that it sends after
# that is encrypted.

# %%
here = nk.practice.join("hyperv")  # the practice host's address, user and password
session = winrm.Session(
    f"http://{here.host}:{here.port}/wsman",
    auth=(here.user, here.password),
    transport="ntlm",
    message_encryption="always",
    proxy=None,  # go to the host directly, whatever proxy this machine uses
)


def run_ps(script):
    """Run it on the host; show what it wrote, and its errors."""
    answer = session.run_ps(script)
    # a session of pywinrm speaks code page 437, as old consoles do
    print(answer.std_out.decode("cp437"), end="")
    errors = answer.std_err.decode("cp437")
    # the status is that of the last line alone, and "#< CLIXML" begins reports of progress
    if errors and not errors.startswith("#< CLIXML"):
        print("failed:", errors)


run_ps("Get-VM nested-hv-04, nested-hv-20 | Select-Object Name, State, Version")

# %% [markdown]
# On a real host: its name, your user, and the password from `getpass.getpass()`, never in a
# cell. Prefer HTTPS (port 5986) with a certificate that is verified. `nested-hv-04` and the other
# names in this lesson are VMs of the practice host; there, take VMs of your own.
#
# A warning about scripts that are copied from a page: they may have lost their line breaks.
# PowerShell then reads the whole block as *one* command, and refuses it:

# %%
run_ps("Stop-VM nested-hv-04 Set-VMMemory nested-hv-04 -DynamicMemoryEnabled $false")

# %% [markdown]
# ## Exercise: repair a VM by hand
#
# `nested-hv-04` has one fault, Dynamic Memory. Replace the comment by the line that is missing,
# and run the cell. (Which cmdlet? See the table above. The order of the lines matters.)

# %% tags=["learner"]
script = """
Stop-VM nested-hv-04 -Confirm:$false
# your line
Start-VM nested-hv-04
"""
run_ps(script)

# %% tags=["solution"]
script = """
Stop-VM nested-hv-04 -Confirm:$false
Set-VMMemory -VMName nested-hv-04 -DynamicMemoryEnabled $false
Start-VM nested-hv-04
"""
run_ps(script)

# %%
nk.course.check("04.plain", host, vm="nested-hv-04")

# %% [markdown] tags=["instructor"]
# **Expected**: one line with `Set-VMMemory`. **Common mistakes**: the line before `Stop-VM`, which
# the host refuses because of the VM's state; `"false"` instead of `$false`; `-Force` on
# `Stop-VM`, which works and is worth a word: it gives programs in the guest no say.
#
# **Ask**: what would have happened to the memory if the VM had been left dynamic? Microsoft's
# current page says that it simply stops moving once Hyper-V runs inside. The guide, older, makes
# it a requirement. The kit follows the guide, and tells both.

# %% [markdown]
# ## PowerShell Direct: into the guest without a network
#
# Step 6 happens *inside* the VM. Type `Install-WindowsFeature` on the host, and the role lands on
# the host, which may restart with all its VMs. **PowerShell Direct** runs a block of commands in
# the guest instead, over the VM bus: no network, no firewall. It needs Windows 10 or Server 2016
# or newer on both sides, a VM that runs on this very host, and a user **of the guest**. (Microsoft
# Learn: *Manage Windows virtual machines with PowerShell Direct*.)
#
# Here it asks a guest that has the role already:

# %%
run_ps(f"""
$secret = ConvertTo-SecureString '{here.password}' -AsPlainText -Force
$guest = New-Object System.Management.Automation.PSCredential('Administrator', $secret)
Invoke-Command -VMName nested-hv-02 -Credential $guest -ScriptBlock {{
    "inside: $((Get-WindowsFeature -Name Hyper-V).InstallState)"
}}
""")

# %% [markdown]
# On a practice host the guests' Administrator has the host's own password. On a real one use
# `Get-Credential` in the console: a password in a script's text ends up in the host's logs.
# nestkit sends it as data, and writes it nowhere.

# %% [markdown]
# ## Preflight, plan, apply
#
# Now the whole way, for a VM that lacks several things. First: which?

# %%
lacks = nk.preflight.check(host, vm=VM).to_frame().query("level == 'fail'")
nk.course.Table(lacks[["id", "measured", "required"]], caption=f"What {VM} lacks")

# %% [markdown]
# Then a plan, which changes nothing. Press the button with *Install the role inside* ticked and
# unticked, and compare:

# %%
nk.course.plan_form(host, vm=VM)

# %% [markdown]
# The same as a call. The role inside is never in a plan unasked, because it needs a user of the
# guest:

# %%
plan = nk.configure.plan(host, vm=VM, goal=nk.NestedGoal(install_role=True))
plan

# %% [markdown]
# - Step 1 asks the guest to **shut down**. `Stop-VM -TurnOff` would pull the plug.
# - The start-up memory **fits** what the host has free. A VM that is too large does not start.
# - VMs and NICs are found **by Id**. Hyper-V lets two VMs, or two NICs, have one name.
# - To upgrade the configuration version, or to throw away a saved state, cannot be taken back.
#   Each needs a consent of its own, and is in no plan without it.
#
# ## Exercise: apply it
#
# Tick the box, and press **Apply**. On a practice host leave the password empty.

# %%
form = nk.course.apply_form(plan, host)
form

# %% tags=["solution"]
form.confirm.value = True
form.run()

# %%
nk.course.check("04.applied", host, plan=plan)

# %% [markdown]
# The last step waited until the guest was back from its restart, and asked it *from inside*
# whether Hyper-V answers. Only then does it count as done.
#
# ## Why the start is part of the proof
#
# On AMD, Windows Server 2019 accepts the setting, and the VM then fails to **start**, as users
# report (Easy-GPU-PV issue 7, NanaBox issue 17). So a script that ends without errors after step
# 2 proves little. Preflight knows it beforehand:

# %% tags=["slide"]
amd = nk.connect("practice://hyperv?profile=amd-ws2019")
lacks = nk.preflight.check(amd, vm="nested-hv-12").to_frame().query("level == 'fail'")
nk.course.Table(lacks[["id", "measured", "required"]], caption="An AMD host with Server 2019")

# %% [markdown] tags=["instructor"]
# **To show it**: `nk.configure.plan(amd, "nested-hv-12")` carries a note that the start is
# expected to fail. Apply it, read the error, and roll back from the journal that it names.

# %% [markdown]
# ## The same plan as PowerShell, and as clicks
#
# A plan can be printed for somebody who will type it, or click it. Look for the one line in the
# list of clicks that is no click: Hyper-V Manager has no switch for the extensions.

# %%
other = nk.configure.plan(host, vm="nested-hv-12")
print(other.script("powershell"))

# %%
print(plan.script("gui"))  # of the plan above

# %% [markdown]
# The cmdlets carry their module's name (`Hyper-V\Get-VM`), because PowerCLI has `Get-VM`,
# `Start-VM` and `Stop-VM` too, and does something else with them: there, `Stop-VM` pulls the
# plug.

# %% [markdown]
# ## How the VMs inside reach out
#
# A Hyper-V switch drops frames whose source address is not the one of the NIC they come from. So
# the frames of L2 never leave L1, until its NIC may **spoof**:

# %%
nk.course.network_diagram("spoofing")

# %% [markdown]
# Where that is not allowed, L1 can translate addresses: an internal switch and a **NAT** inside
# it. Then nobody outside sees the VMs, and each of them needs an address by hand, because this
# NAT brings no DHCP server. In a plan: `nk.NestedGoal(network="nat")`. (Both ways are in
# Microsoft Learn: *Run Hyper-V in a Virtual Machine with Nested Virtualization*.)

# %%
nk.course.network_diagram("nat")

# %% [markdown]
# ## Exercise: take it back
#
# Replace the `...` by a call that rolls back, as in lesson 03; `done` is what it needs.
#
# Was the kernel restarted since you pressed **Apply**? Then `form.result` is empty. Give the
# journal's path instead, as text: Apply has shown it.

# %% tags=["learner"]
done = form.result  # what Apply returned
undone = ...

# %% tags=["solution"]
done = form.result  # what Apply returned
undone = nk.configure.rollback(done, host)
undone

# %%
nk.course.check("04.rolled-back", host, plan=plan, done=done, undone=undone)

# %% [markdown]
# The step that installed the role is reported as *not undone*: the role stays in the guest, and a
# second run of this lesson has one step less. Rollback restores what the host holds of the VM
# (power, extensions, processors, memory, NICs), and says plainly what it cannot bring back.
#
# ## What a nested host gives up
#
# - **Live migration** and **save and restore** of the nested host are not supported, says the
#   guide. Microsoft's list that said so is of preview days, and its current page states no such
#   limit (MicrosoftDocs/Virtualization-Documentation, issue 811). Do not rely on either.
# - Memory can be changed only while the nested host is off.
# - A nested host with Windows Server 2019 or older may have at most 225 virtual processors.
# - A hypervisor that is not Microsoft's, ESXi for one, is not supported in a VM on Hyper-V, and
#   likely to fail.
#
# Each with its source is in lesson [05](05-cross-platform.ipynb).

# %% [markdown]
# ## Quiz

# %%
quiz = nk.course.quiz("04")
quiz

# %% tags=["solution"]
quiz.asked[0].choose(1)
quiz.asked[1].choose(1)
quiz.asked[2].choose(0)
quiz.asked[3].choose(2)
right = [asked.submit() for asked in quiz.asked]
quiz

# %% [markdown]
# ## Key points
#
# - Off, extensions, spoofing or NAT, static memory, on, and the role inside. Hyper-V Manager can
#   do all but the extensions.
# - Step 6 belongs into the guest: PowerShell Direct, with a user of the guest.
# - A setting that was accepted is no proof. The start is, and the guest's own word.
#
# **Next:** [05 Cross-platform](05-cross-platform.ipynb)
