# ---
# jupyter:
#   nestkit:
#     number: "07"
#     title: Use cases
#     minutes: 180
#     items: [training, testing, pipeline, path, cluster, failover, restore,
#       quiz-memory, quiz-layer, quiz-drill]
# ---

# %% [markdown]
# # 07 Use cases: design under limits
#
# **180 minutes** · six parts of 30 minutes, in any order · before: [06
# Benchmark](06-benchmark.ipynb) · next: [08 Automation](08-automation.ipynb)
#
# **Questions**
#
# - What is nested virtualization good for, and how large a machine does it take?
# - Which resource gives out first, and how many nested hosts fit?
# - How do I rehearse a failover and a restore without risking anything?
#
# **You will**
#
# - size nested labs with the scenario planner: for a class, for tests, for a cluster;
# - build an environment on demand, and destroy it whatever happens;
# - open the network path to virtual routers and firewalls;
# - break a nested host, let another take over, and restore the first.

# %% [markdown] tags=["instructor"]
# **Timing**: each part stands alone, 30 minutes. For a half-day take *training*, *pipeline* and
# *recovery*. The planner needs 5 minutes of showing before the first part.
#
# **Expected answers**: in the solution edition; the checks work every design out anew, so any
# design within the limits passes.
#
# **Common mistakes**: making the machine larger instead of the design smaller; forgetting that
# the outer hypervisor needs memory too; planning a cluster for the good day, without the VMs of
# the host that fails; `except` where `finally` belongs, so that a failed test looks green;
# taking “HA inside a nested cluster” for protection. It is a rehearsal: all nested hosts die with
# the one machine under them.

# %% [markdown] tags=["solution"]
# > This is the **solution** edition: all cells are filled in and were run. To work yourself,
# > open [the lesson](../07-use-cases.ipynb).

# %%
import nestkit as nk

host = nk.connect("practice://esx")

# %% [markdown]
# ## The scenario planner
#
# With nested virtualization, a whole company's infrastructure can be simulated on one machine. That
# takes a plan, since this one machine has to bear everything at once. The planner keeps to four
# rules:
#
# - **Memory is static.** A nested host takes its memory for physical, so it gets all of it, always.
#   Memory is never overcommitted (promised more than once), and the machine's own hypervisor needs
#   its share too.
# - **vCPUs may be overcommitted**, by a ratio that you state, and on the machine only: a second
#   ratio inside the nested hosts would multiply with the first. So each nested host gets sufficient
#   vCPUs for all its VMs.
# - **Disks count in full**, even where they are thin, that is, take up space only as they fill.
# - **Two layers.** A third is possible, and speed falls off a cliff there ([lesson
#   06](06-benchmark.ipynb) measured it).
#
# The minimums are those that preflight checks. What the work inside costs comes from a measured
# run: here from the recorded lab, whose layers are emulated. The form's last two fields say how
# much of its time a VM spends in exits and in disk requests; the rest computes.
# `nk.course.Scenario(run=…)` takes a run of your own.

# %%
form = nk.course.scenario_form()
form

# %% tags=["solution"]
form.run()

# %% [markdown]
# The same in Python; only what differs from the defaults is written. Look at three things: does it
# fit, which resource gives out first, and how many hosts would have room?

# %%
nk.course.Scenario(hosts=8)

# %% [markdown]
# And with a third layer? Then the VMs in the nested hosts are hosts again, each with its own
# minimum of memory, and the cost of an exit multiplies. This is what the same mix of work costs:

# %%
nk.course.Scenario(layers=3).cost

# %% [markdown]
# ## Learning and training
#
# With nested hosts, people train on vSphere or Hyper-V clusters without a rack of servers. Each
# learner has a host of their own, may break it, and gets a new one in minutes. What they see is
# what they would see on hardware, only slower.
#
# **Your task.** You teach eight people. There is one machine with 32 cores, 128 GiB of memory and
# 4,000 GiB of disk, running ESXi. Each person gets one nested host of either kind with at least
# two VMs of 2 GiB or more, and no core bears more than 4 vCPUs. With the planner's default VMs it
# does not fit. Change the design, not the machine.

# %% tags=["learner"]
training = ...  # nk.course.Scenario(cores=32, memory_gib=128, disk_gib=4000, hosts=8, …)

# %% tags=["solution"]
training = nk.course.Scenario(
    cores=32, memory_gib=128, disk_gib=4000, hosts=8, vms=2, vm_memory_gib=3.0
)
training

# %%
nk.course.check("07.training", training)

# %% [markdown]
# ## Test environments
#
# Whoever automates hosts, in DevOps or in operations, tries scripts and pipelines on nested hosts
# before they touch real ones. This pays most where a change runs over **several hosts**, since it
# is there that order, time-outs and half-done work show.
#
# **Your task.** A change is to be tested on four nested ESXi hosts with four VMs each, of 2 vCPUs
# and 4 GiB, as in production, with at most 2 vCPUs a core. Three machines are on offer. Take the
# cheapest that bears it.
#
# | machine | cores | memory | disk | price |
# |---|---|---|---|---|
# | S | 16 | 96 GiB | 1,000 GiB | low |
# | M | 16 | 128 GiB | 2,000 GiB | middle |
# | L | 32 | 256 GiB | 4,000 GiB | high |

# %% tags=["learner"]
testing = ...  # nk.course.Scenario(cores=…, memory_gib=…, disk_gib=…, hosts=4, vms=4, …)

# %% tags=["solution"]
testing = nk.course.Scenario(
    cores=16, memory_gib=128, disk_gib=2000, hosts=4, vms=4, vm_cpus=2, vm_memory_gib=4.0
)
testing

# %%
nk.course.check("07.testing", testing)

# %% [markdown]
# ## CI/CD: build and destroy on demand
#
# Some pipelines need whole hosts: an installer to be tested, an agent, a backup. They build a
# nested environment when the job starts and destroy it when the job ends, for integration tests
# that always begin in the same clean state. **Destroying is the harder half**: it must happen
# after a failure too, or the machine fills up with reserved memory that nobody uses.
#
# **Your task.** Write `pipeline(host, test)`: it creates a VM that can nest, on port group
# *Nested Lab A*, calls `test(host, name)`, and removes the VM in every case. A test that fails
# must be seen to fail. The check runs it on a private practice host, with a test that passes and
# with one that does not, so it takes a while. You need three calls:
#
# - `plan = nk.configure.plan_new(host, nk.CreateGoal(name=…, networks=(…,)))`, as in lesson 03;
# - `done = nk.configure.apply(plan, host)`;
# - `nk.configure.rollback(done.journal, host)`, which destroys what the plan has created.

# %% tags=["learner"]
pipeline = ...  # def pipeline(host, test): …


# %% tags=["solution"]
def build_test_destroy(host, test):
    goal = nk.CreateGoal(name="ci-nested", networks=("Nested Lab A",))
    done = nk.configure.apply(nk.configure.plan_new(host, goal), host)
    try:
        test(host, "ci-nested")
    finally:
        nk.configure.rollback(done.journal, host)


pipeline = build_test_destroy

# %%
nk.course.check("07.pipeline", pipeline)

# %% [markdown]
# [Lesson 08](08-automation.ipynb) goes on from here: the same with exit statuses, as a pipeline's
# step, and with a lab of real virtual machines.

# %% [markdown]
# ## Network function virtualization (NFV)
#
# Routers, firewalls and appliances of software-defined networks (SDN) are VMs whose work is to
# pass on frames. In nested hosts one can rebuild a network of several tiers and try it. Their
# frames carry addresses that the outer network has never seen, and whether these pass is decided
# on L0:
#
# - **Promiscuous mode and forged transmits** (ESXi, standard switch): every listening port gets
#   everything. Fine for a lab, loud for a busy one.

# %%
nk.course.network_diagram("promiscuous")

# %% [markdown]
# - **MAC learning** (ESXi, distributed switch of version 6.6 or newer): the switch learns which
#   addresses live where; promiscuous mode stays off.

# %%
nk.course.network_diagram("learning")

# %% [markdown]
# - **MAC address spoofing** (Hyper-V): a setting of the nested host's NIC.

# %%
nk.course.network_diagram("spoofing")

# %% [markdown]
# - **NAT** (Hyper-V): the appliances stay behind their host, and nobody outside can call them. That
#   is the wrong way for a router that others are to use.

# %%
nk.course.network_diagram("nat")

# %% [markdown]
# **Your task.** A virtual firewall is to run in `nested-esxi-12`, and whatever it passes on gets
# lost. Open the path, and loosen no more than that VM's own port group. Which of the settings above
# does the plan change?

# %%
NFV_HOST = "nested-esxi-12"
path_plan = nk.configure.plan(host, vm=NFV_HOST)
path_plan

# %%
path_form = nk.course.apply_form(path_plan, host)
path_form

# %% tags=["solution"]
path_form.confirm.value = True
path_form.run()

# %%
nk.course.check("07.path", host, plan=path_plan)

# %% [markdown]
# ## Fault tolerance and high availability
#
# A cluster of nested hosts shows how HA behaves: switch a nested host off, and its VMs start on
# the others; move a VM while it runs, and nothing breaks off. All of it without production
# hardware, and **for study only**: the nested hosts all stand on one machine, and fall with it.
# Nested hosts are not for production, and a nested cluster protects nothing.
#
# Which **layer** does a limit bind? Two sentences that seem to contradict each other are both
# true:
#
# | what | layer | possible? |
# |---|---|---|
# | VMs (L2) move between nested hosts: vMotion, live migration | L2 | yes |
# | VMs (L2) start anew on another nested host: HA, failover | L2 | yes |
# | a nested host (L1) moves between physical ones: vMotion, live migration | L1 | lost |
# | a nested host (L1) is protected by Fault Tolerance (FT) | L1 | lost |
# | a nested Hyper-V host (L1) is saved and restored | L1 | lost |
#
# [Lesson 05](05-cross-platform.ipynb) has the sources for each. For Hyper-V, the limits on live
# migration and on saving come from older documents; Microsoft's current page no longer names them,
# and promises nothing either.
#
# **Your task.** Twelve VMs of 4 GiB are to keep running while one nested host is down. The machine
# has 24 cores, 112 GiB of memory and 2,000 GiB of disk, with at most 4 vCPUs a core. How many
# nested hosts, with how many VMs each? A host needs room for what it takes over: `spare_hosts=1`
# tells the planner so.

# %% tags=["learner"]
cluster = ...  # nk.course.Scenario(cores=24, memory_gib=112, …, spare_hosts=1)

# %% tags=["solution"]
cluster = nk.course.Scenario(
    cores=24, memory_gib=112, disk_gib=2000, hosts=3, vms=4, vm_memory_gib=4.0, spare_hosts=1
)
cluster

# %%
nk.course.check("07.cluster", cluster)

# %% [markdown]
# ## Disaster recovery: failover and restore
#
# A recovery plan that was never rehearsed is a wish. In nested hosts a disaster costs nothing, so
# rehearse both halves: **failover**, another host takes over; and **restore**, the first one is as
# it was.
#
# The disaster: on Friday night somebody halves the memory and the vCPUs of `nested-esxi-02`, a host
# in which nothing was wrong. Tick the box and press **Apply** to be that somebody. (The names are
# VMs of the practice host. Please do not rehearse this on a host that others use.)

# %%
wrong_change = nk.configure.plan(
    host, vm="nested-esxi-02", goal=nk.NestedGoal(cpu_count=2, memory_gib=8)
)
wrong_change

# %%
damage = nk.course.apply_form(wrong_change, host)
damage

# %% tags=["solution"]
damage.confirm.value = True
damage.run()

# %% [markdown]
# **Failover.** `nested-esxi-16` is the stand-by. Can it take over? Nobody has ever looked. This
# form's plan makes it ready and starts it:

# %%
STANDBY = "nested-esxi-16"
standby_plan = nk.configure.plan(host, vm=STANDBY)
standby_form = nk.course.apply_form(standby_plan, host)
standby_form

# %% tags=["solution"]
standby_form.confirm.value = True
standby_form.run()

# %%
nk.course.check("07.failover", host, STANDBY)

# %% [markdown]
# **Restore.** The journal of the wrong change holds what was there before each step. Replace the
# `...` by a rollback with it, or set everything back in your own way: the check looks at the host.

# %% tags=["learner"]
restored = ...  # nk.configure.rollback(damage.result, host)

# %% tags=["solution"]
restored = nk.configure.rollback(damage.result, host)
restored

# %%
nk.course.check("07.restore", host, done=damage.result)

# %% [markdown]
# A journal restores *settings*. What was on the disks needs a backup, and that is rehearsed in the
# same way: damage, failover, restore, and look.

# %% [markdown]
# ## Quiz

# %%
quiz = nk.course.quiz("07")
quiz

# %% tags=["solution"]
quiz.asked[0].choose(1)
quiz.asked[1].choose(0, 1)
quiz.asked[2].choose(2)
right = [asked.submit() for asked in quiz.asked]
quiz

# %% [markdown]
# ## Key points
#
# - Nested labs serve learning, tests, pipelines, virtual networks, and rehearsals of failover and
#   recovery.
# - Memory gives out first, since it is static; vCPUs may be overcommitted with a stated ratio.
# - Destroy in every case, and let a failure be seen.
# - Clusters of nested hosts are for study: production needs hosts that do not fall together.
#
# **Next:** [08 Automation](08-automation.ipynb)
