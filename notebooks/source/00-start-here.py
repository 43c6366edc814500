# ---
# jupyter:
#   nestkit:
#     number: "00"
#     title: Start here
#     minutes: 15
#     items: [ready, host, quiz-layers, quiz-practice]
# ---

# %% [markdown]
# # 00 Start here
#
# **15 minutes** · needs nothing but this page · next: [01 Hypervisors and
# layers](01-layers.ipynb)
#
# **Questions**
#
# - What will I be able to do after this course?
# - Does my machine have what it takes?
# - How does a lesson work, and what can I break?
#
# **You will**
#
# - check this machine with a form, and know what to do about anything that is missing;
# - choose the host to work on: a practice host, or a real one;
# - see where your progress is kept.

# %% [markdown] tags=["solution"]
# > This is the **solution** edition: all cells are filled in and were run. To work yourself,
# > open [the lesson](../00-start-here.ipynb).

# %% [markdown] tags=["instructor"]
# **Timing** (15 min): what the course is about 3 · how a lesson works 3 · check the machine 3 ·
# choose the host 4 · quiz 2.
#
# **Before the class**: `make offline` on each machine, so that nothing is fetched while thirty
# people wait; `nestkit reset` puts practice hosts back to their first state. With
# `NESTKIT_CLASS=1` each learner gets a practice host whose faults differ from their neighbour's.
# `docs/class.md` has the rest.
#
# **Common mistake**: running the check below the form *instead of* the form. Both work; say that
# checks never change anything, and that running a cell twice is always safe.

# %% [markdown]
# ## What this course is about
#
# A hypervisor runs virtual machines. *Nested* virtualization lets you run a hypervisor
# **inside** one of those machines, and virtual machines inside that. With it, one computer is
# enough to learn how VMware ESXi or Microsoft Hyper-V behave, to test an automation before it
# meets real hosts, or to rehearse a failover.
#
# It does not work by itself. Something has to be switched on in the processor, on the host, on
# the virtual machine and on its network, and each layer costs time. So the course keeps asking
# three questions. Its Python library, `nestkit`, has a verb for each:
#
# | question | verb |
# |---|---|
# | Can this host nest? | `nk.preflight.check(host)` |
# | Make it nest, and let me take it back. | `nk.configure.plan(…)`, `apply`, `rollback` |
# | What does each layer cost? | `nk.benchmark.run(layers)` |
#
# We count layers from the outside. **L0** is the machine itself, **L1** a virtual machine that
# is a host as well, **L2** a virtual machine on that host.

# %%
import nestkit as nk

nk.course.layers_diagram(depth=2)

# %% [markdown]
# ## How a lesson works
#
# Read from top to bottom, and run each cell with <kbd>Shift</kbd>+<kbd>Enter</kbd>. You will
# meet:
#
# - **Forms.** Fill in the fields, press the button. Below the fields stands the Python call
#   that the button makes, as soon as you leave a field. Copy it: it does the same in your own
#   script. By keyboard: Tab moves, Space ticks a box, Enter presses a button. Space also opens a
#   list, in which the arrow keys choose and Enter takes; on a closed list they move to another
#   cell.
# - **Exercises.** A cell with `...` waits for you: put your answer in the place of the three
#   dots, and run the cell. The check below it looks at the *system* and says “passed”, “not done
#   yet” or “not right”, with a hint. Nothing breaks if you run it too early.
# - **Solutions.** Each lesson has one, run and with its output, in the folder `solutions`.
#
# Some lessons name a command such as `nestkit progress`. Type it in a terminal of JupyterLab
# (*File → New → Terminal*).
#
# If anything gets tangled, choose *Kernel → Restart Kernel and Run All Cells*. It is safe: no
# lesson changes a host unless you tick a box, or write the call yourself.

# %% [markdown]
# ## Check this machine
#
# Press **Check**. The form looks at Python, the folders, the memory, and whether a real virtual
# machine can boot inside another one right here. It changes nothing.

# %%
form = nk.course.environment_form()
form

# %% tags=["solution"]
form.run()

# %% [markdown]
# “Limited” is fine: the lesson that wants it has another way. “Missing” is not, and the last
# column says what to do. The check below looks again by itself.

# %%
nk.course.check("00.ready")

# %% [markdown]
# ## Choose the host to work on
#
# A **practice host** is a model of a host that runs on your own machine. It speaks the real
# protocol, so the calls that you learn here are the ones for a real host; only the address
# differs. And it can be broken and reset as often as you like.
#
# What you choose here is the **ESXi** host of the lessons: one host, not a vCenter. (Lesson 04,
# about Hyper-V, brings a practice host of its own.)
#
# - Stay with `practice://esx` unless you have a host that you may change.
# - With a real one, write its address: `esx://root@esxi01.lab`. Its certificate is verified. If
#   it signed its own, nestkit stops and shows the certificate's fingerprint. Compare it on the
#   host itself (in its shell: `openssl x509 -in /etc/vmware/ssl/rui.crt -noout -fingerprint
#   -sha256`), and add it to the address: `?pin=sha256:…`.
# - Leave the password empty to have it looked up: in the environment variable
#   `NESTKIT_PASSWORD`, then in your system's keyring. What you type here is used once and not
#   kept.

# %%
form = nk.course.host_form()
form

# %% tags=["solution"]
form.run()

# %% [markdown]
# From here on, the lessons ask `nk.course.address()` where to go. Where the password of a real
# host is not stored, `interactive=True` lets them ask you for it.

# %%
host = nk.connect(nk.course.address(), interactive=True)
nk.course.check("00.host", host)

# %% [markdown] tags=["instructor"]
# **Expected**: both checks say “passed”. A machine without `/dev/kvm` is called *limited* or runs
# the lab by emulation; that is no reason to stop. If somebody chose a real host by accident, run
# the form once more with `practice://esx`.

# %% [markdown]
# **Practice is practice.** The practice host follows VMware's documents as closely as we could,
# and it says “practice” wherever it shows itself. What works there is a good sign, and no proof
# for your own hardware.
#
# Did something go wrong on it? `nk.practice.reset()` puts every practice host of yours back to its
# first state; `nestkit reset` does the same from a terminal. Your progress stays.

# %% [markdown]
# ## Your progress
#
# Passed checks and answered questions are kept in one private file on this machine, so that you
# can stop at any time. Run this cell again whenever you like to know where you are;
# `nestkit progress` shows the same in a terminal.

# %%
nk.course.progress.summary()

# %% [markdown]
# ## Quiz
#
# Choose, then press the button below the question. You may answer again as often as you like.

# %%
quiz = nk.course.quiz("00")
quiz

# %% tags=["solution"]
quiz.asked[0].choose(1)
quiz.asked[1].choose(0, 2)
right = [asked.submit() for asked in quiz.asked]
quiz

# %% [markdown]
# ## Key points
#
# - Layers are counted from the outside: L0 is the machine, L1 a VM that is a host, L2 a VM on
#   it.
# - Three verbs: preflight, configure, benchmark. Each form shows the call it makes.
# - Practice and real differ by one address. Practice proves nothing about real hardware.
#
# **Next:** [01 Hypervisors and layers](01-layers.ipynb)
