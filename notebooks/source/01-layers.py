# ---
# jupyter:
#   nestkit:
#     number: "01"
#     title: Hypervisors and layers
#     minutes: 30
#     items: [types, layers, quiz-hyperv, quiz-nested, quiz-exits]
# ---

# %% [markdown]
# # 01 Hypervisors and layers
#
# **30 minutes** · before: [00 Start here](00-start-here.ipynb) · next: [02 Requirements and
# preflight](02-preflight.ipynb)
#
# **Questions**
#
# - What kinds of hypervisor are there, and which kind are ESXi, Hyper-V, Workstation and
#   VirtualBox?
# - What is nested virtualization, and what is it for?
# - Why does each further layer cost time?
#
# **You will**
#
# - place four hypervisors, one of which is easily placed wrongly;
# - stack hypervisors in a form, and count the layers of six real set-ups;
# - follow one exit through the layers.

# %% [markdown] tags=["solution"]
# > This is the **solution** edition: all cells are filled in and were run. To work yourself,
# > open [the lesson](../01-layers.ipynb).

# %% [markdown] tags=["instructor"]
# **Timing** (30 min): types 8 · the exercise on types 4 · what nesting is and is for 6 · layers
# and explorer 5 · counting 4 · exits 3. Quiz as homework if time is short.
#
# **Before the class**: nothing to prepare; this lesson needs no host.
#
# **Ask first**: “Who has used Hyper-V? Did you install it on Windows, or Windows on it?” Collect
# answers without judging them. The picture below settles it.

# %%
import nestkit as nk

# %% [markdown]
# ## Two types
#
# A hypervisor shares one machine among several virtual ones. What counts for its type is what
# lies **between it and the hardware**.
#
# - **Type 1, bare-metal**: nothing does. The hypervisor is what starts on the hardware, and
#   everything else runs on it. VMware ESXi and Microsoft Hyper-V are of this kind. Less lies in
#   the way, so they have the better performance and the lower overhead.
# - **Type 2, hosted**: an operating system does. The hypervisor is one of its programs. VMware
#   Workstation and Oracle VirtualBox are of this kind. They are fine for light work, and not
#   what one chooses for a nested environment that is to be like production.

# %%
nk.course.types_diagram()

# %% [markdown]
# Look at the middle. Hyper-V is switched on as a *role* of Windows Server, so it looks like a
# program of Windows. It is not. At the next start the hypervisor comes up first, and the Windows
# that was there runs **on** it, in what Microsoft calls the root partition: a privileged machine
# beside the virtual ones. To the person at the keyboard, that Windows looks as it did before.
# (Source: Microsoft Learn, *Hyper-V Architecture*.)

# %% [markdown] tags=["instructor"]
# **Common mistake**: “Hyper-V is type 2, because I installed it in Windows.” Do not argue about
# the installation; ask what starts first. If somebody insists: `bcdedit` shows
# `hypervisorlaunchtype Auto`, and Task Manager in the root partition shows the root's share of the
# CPU only.
#
# **You may be asked** about KVM: the types come from the 1970s, when no kernel had a hypervisor as
# a module. Say that both answers are defended, and that this course never depends on it.

# %% [markdown]
# ## Exercise: place them
#
# Write the type of each: `1` or `2`.

# %% tags=["learner"]
placed = {
    "VMware ESXi": ...,
    "Microsoft Hyper-V": ...,
    "VMware Workstation": ...,
    "Oracle VirtualBox": ...,
}

# %% tags=["solution"]
placed = {
    "VMware ESXi": 1,
    "Microsoft Hyper-V": 1,
    "VMware Workstation": 2,
    "Oracle VirtualBox": 2,
}

# %%
nk.course.check("01.types", placed)

# %% [markdown] tags=["instructor"]
# **Expected**: 1, 1, 2, 2. The check takes `1`, `"type 1"` and `"bare-metal"` alike. Whoever has
# Hyper-V wrong gets a question back as a hint, not the answer.

# %% [markdown]
# ## A hypervisor inside a virtual machine
#
# Usually a virtual machine holds an ordinary guest: a web server, a desktop. In **nested
# virtualization** it holds a hypervisor, and so becomes a host itself, with virtual machines of
# its own. In practice that is ESXi or Hyper-V in a VM that runs on another hypervisor.
#
# Why would one? Because real hosts are few and expensive, and a lab needs many that may be
# broken:
#
# | what for | for example |
# |---|---|
# | simulate an enterprise set-up without more hardware | a cluster of three hosts on one server |
# | test settings of a hypervisor | does this change of a virtual switch cut anybody off? |
# | rehearse disaster recovery and failover | power a nested host off, and see what starts where |
# | develop and test automation | run a script against hosts that can be thrown away |
#
# ESXi and Hyper-V can both do it on today's processors. What they require, how it is set up and
# what goes wrong differs; the next lessons are about that.

# %% [markdown] tags=["instructor"]
# **Ask** the class for a fifth use of their own, and come back to it in lesson 07. If somebody
# says “to run production on fewer servers”: note it on the board; lesson 02 explains why not.

# %% [markdown]
# ## Counting layers
#
# Count from the outside and begin with zero: **L0** is the machine itself with its hypervisor,
# **L1** a VM on it, **L2** a VM on L1. Each *machine* on the way in is one layer. An operating
# system below a type 2 hypervisor, or the root partition of Hyper-V, is no layer of its own: it
# belongs to L0. A container is none either, because it shares the kernel of its machine.
#
# Choose, press **Stack them**, and read the last column: what each layer has to be *given*.
# Then try a fourth layer (L3), and a stack that cannot be: VMs on an ordinary guest.

# %%
form = nk.course.layer_explorer()
form

# %% tags=["solution"]
form.run()

# %% [markdown]
# What L1 must be given is the key to all that follows. VT-x (Intel) and AMD-V are the features of
# a processor that let it run virtual machines. A VM has them only if the layer below *exposes*
# them to it.

# %% [markdown]
# ## Exercise: count
#
# In which layer does what is in **bold** run? Write a number, such as `0` for L0.
#
# - *web server*: A server runs ESXi, and on it **a Linux VM** with a web server.
# - *witness*: A server runs ESXi, and on it **a vSAN Witness Appliance**, which is ESXi in a VM.
# - *lab on a laptop*: Windows with VMware Workstation; in it a VM with ESXi; on that **a Windows
#   VM**.
# - *console*: A server with the Hyper-V role. **The Windows** that you log on to at its screen.
# - *container*: A server runs Hyper-V, on it a Linux VM, and in that **a container**.
# - *three deep*: ESXi on a server, Hyper-V in a VM on it, Hyper-V once more in a VM on that, and
#   there **a Linux VM**.

# %% tags=["learner"]
counted = {
    "web server": ...,
    "witness": ...,
    "lab on a laptop": ...,
    "console": ...,
    "container": ...,
    "three deep": ...,
}

# %% tags=["solution"]
counted = {
    "web server": 1,
    "witness": 1,
    "lab on a laptop": 2,
    "console": 0,
    "container": 1,
    "three deep": 3,
}

# %%
nk.course.check("01.layers", counted)

# %% [markdown] tags=["instructor"]
# **Expected**: 1, 1, 2, 0, 1, 3. Common mistakes: *console* = 1 (the root partition taken for a
# VM on L0; it is a part of L0), *container* = 2, and *lab on a laptop* = 3 (Windows of the laptop
# counted as a layer).

# %% [markdown]
# ## And where are you now?
#
# The machine that this notebook runs on may itself be a VM. Then what you call L0 is L1 to
# whoever runs the host beneath it.

# %%
here = nk.connect("local://").read()
print("This machine is itself a virtual machine:", here.is_vm)

# %% [markdown]
# ## What a layer costs
#
# Most of a guest's work runs on the processor directly, in any layer. Now and then a guest does
# something that its hypervisor has to do for it, such as speaking to a device. The processor
# then leaves the guest and goes on in the hypervisor: that is an **exit**.
#
# The processor knows one hypervisor only, the one in L0. So an exit of an L2 guest goes to L0, L0
# hands it to the hypervisor in L1, and while that one handles it, it causes exits of its own.

# %%
nk.course.exits_diagram()

# %% [markdown]
# This is why two layers (L1 and L2) are practical, and why from three on the losses are heavy:
# each layer *multiplies* the exits. How much that is, you will measure in lesson 06. (Source, with
# all the details: Ben-Yehuda and others, *The Turtles Project*, OSDI 2010.)

# %% [markdown] tags=["instructor"]
# **Do not quote a factor here.** It depends on how often the work leaves the guest: next to
# nothing for a multiplication, very much for a CPUID. Let lesson 06 measure it.

# %% [markdown]
# ## Quiz

# %%
quiz = nk.course.quiz("01")
quiz

# %% tags=["solution"]
quiz.asked[0].choose(1)
quiz.asked[1].choose(0, 2)
quiz.asked[2].choose(2)
right = [asked.submit() for asked in quiz.asked]
quiz

# %% [markdown]
# ## Key points
#
# - Type 1 lies on the hardware: ESXi and Hyper-V. Type 2 is a program of an operating system:
#   Workstation and VirtualBox.
# - Nested virtualization is a hypervisor in a VM. It serves to learn, test, rehearse and automate
#   with fewer machines.
# - L0 is the machine, L1 a VM on it, L2 a VM on L1. Each layer must expose hardware
#   virtualization to the next.
# - Every exit lands in L0 first. That is what makes a further layer expensive.
#
# **Next:** [02 Requirements and preflight](02-preflight.ipynb)
