/* nestkit-probe: the few measurements for which no packaged tool exists.
 *
 *   nestkit-probe exit --seconds S            execute CPUID in a loop
 *   nestkit-probe syscall --seconds S         ask the kernel for the parent's process id
 *   nestkit-probe touch first --seconds S     write one byte to each 4 KiB page of fresh memory
 *   nestkit-probe touch second --seconds S    the same once the pages are there: the control
 *   nestkit-probe memory --seconds S          walk at random through 64 MiB
 *   nestkit-probe wakeup same --seconds S     wake another process on the same CPU by a pipe
 *   nestkit-probe wakeup across --seconds S   the same from one CPU to another
 *   nestkit-probe leaves                      print the hypervisors that CPUID names
 *   nestkit-probe tsc                         print the time stamp counter's frequency in kHz
 *
 * Each measures for about S seconds. Output is one "name value" pair a line: guest_s, the whole
 * measurement by this layer's monotonic clock; ops, how many operations; ns_per_op. Status 3:
 * it cannot be measured here, and why. Compiled when the lab's image is built; the same bytes
 * run in every layer.
 */
#define _GNU_SOURCE
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { PAGE = 4096, LINE = 64, TOUCHED = 32 << 20, WALKED = 64 << 20, CANNOT = 3 };

static void cpuid(uint32_t leaf, uint32_t out[4])
{
    __asm__ volatile("cpuid"
                     : "=a"(out[0]), "=b"(out[1]), "=c"(out[2]), "=d"(out[3])
                     : "a"(leaf), "c"(0));
}

static uint64_t rdtsc(void)
{
    uint32_t low, high;
    __asm__ volatile("lfence; rdtsc" : "=a"(low), "=d"(high) : : "memory");
    return (uint64_t)high << 32 | low;
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec * 1e-9;
}

static int cannot(const char *what)
{
    perror(what);
    return 1;
}

static int report(double start, uint64_t ops, double seconds)
{
    printf("guest_s %.6f\nops %llu\nns_per_op %.3f\n",
           now() - start, (unsigned long long)ops, seconds * 1e9 / ops);
    return 0;
}

/* Do batches of some operation for about the time asked for. The clock is read once per batch,
 * and the batch grows to a hundredth of that time, so that reading the clock costs nothing. */
static int measure(void (*operate)(uint64_t count), double seconds)
{
    uint64_t ops = 0, batch = 1;
    double start = now(), before = start, after;

    for (;;) {
        operate(batch);
        ops += batch;
        after = now();
        if (after - start >= seconds)
            return report(start, ops, after - start);
        if (after - before < seconds / 200)
            batch *= 2;
        before = after;
    }
}

/* CPUID leaves the guest every time: the price of one exit. */
static void execute_cpuid(uint64_t count)
{
    uint32_t out[4];
    while (count--)
        cpuid(0, out);
}

/* A system call stays in the guest. The C library answers none of these from a cache. */
static void call_kernel(uint64_t count)
{
    while (count--)
        syscall(SYS_getppid);
}

static void touch_pages(volatile char *memory)
{
    for (size_t at = 0; at < TOUCHED; at += PAGE)
        memory[at] = 1;
}

static char *fresh_memory(size_t size)
{
    char *memory = mmap(0, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    /* huge pages would take one fault for 512 pages, and not in every layer */
    if (memory != MAP_FAILED)
        madvise(memory, size, MADV_NOHUGEPAGE);
    return memory;
}

/* Each first write to a page is a page fault, and an exit wherever a hypervisor must act. Only
 * the writes are timed: giving the memory back and asking for it anew is not. */
static int measure_first_touch(double seconds)
{
    uint64_t passes = 0;
    double start = now(), touching = 0, before;

    do {
        char *memory = fresh_memory(TOUCHED);
        if (memory == MAP_FAILED)
            return cannot("mmap");
        before = now();
        touch_pages(memory);
        touching += now() - before;
        passes++;
        munmap(memory, TOUCHED);
    } while (touching < seconds && now() - start < 4 * seconds);
    return report(start, passes * (TOUCHED / PAGE), touching);
}

static int measure_second_touch(double seconds)
{
    uint64_t passes = 0;
    double start = now(), before, after;
    char *memory = fresh_memory(TOUCHED);

    if (memory == MAP_FAILED)
        return cannot("mmap");
    touch_pages(memory);
    before = now();
    do {
        touch_pages(memory);
        passes++;
        after = now();
    } while (after - before < seconds);
    return report(start, passes * (TOUCHED / PAGE), after - before);
}

/* Where the walk stands. Each cache line holds the address of the next one. */
static void **place;

static void walk(uint64_t count)
{
    void **at = place;
    while (count--)
        at = *at;
    place = at; /* kept, so that no compiler may leave the walk out */
}

/* One cycle through all lines in random order (Sattolo's algorithm): nothing can fetch ahead,
 * and as good as every step needs a walk of the page tables, two-dimensional in a guest. */
static int measure_memory(double seconds)
{
    uint32_t lines = WALKED / LINE, state = 2463534242u;
    char *memory = fresh_memory(WALKED);
    uint32_t *order = malloc(lines * sizeof *order);

    if (memory == MAP_FAILED || !order)
        return cannot("memory");
    for (uint32_t i = 0; i < lines; i++)
        order[i] = i;
    for (uint32_t i = lines - 1; i > 0; i--) {
        state ^= state << 13; /* xorshift: the same walk in every layer */
        state ^= state >> 17;
        state ^= state << 5;
        uint32_t j = state % i, kept = order[i];
        order[i] = order[j];
        order[j] = kept;
    }
    for (uint32_t i = 0; i < lines; i++)
        *(void **)(memory + (size_t)i * LINE) = memory + (size_t)order[i] * LINE;
    free(order);
    place = (void **)memory;
    return measure(walk, seconds);
}

static int to_child[2], to_parent[2];

/* There and back: two wake-ups. */
static void wake(uint64_t count)
{
    char byte = 0;
    while (count--)
        if (write(to_child[1], &byte, 1) != 1 || read(to_parent[0], &byte, 1) != 1)
            exit(cannot("pipe"));
}

static int pin(int cpu)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    return sched_setaffinity(0, sizeof set, &set);
}

/* The waiting process sleeps in the kernel: on one CPU that is a switch of processes, across
 * CPUs an interrupt from one to the other, and often a halted CPU that must be woken. */
static int measure_wakeup(int across, double seconds)
{
    cpu_set_t allowed;
    int cpus[2], found = 0;
    uint64_t ops = 0, batch = 1;
    double start, before, after;
    pid_t child;
    char byte;

    if (sched_getaffinity(0, sizeof allowed, &allowed))
        return cannot("sched_getaffinity");
    for (int cpu = 0; cpu < CPU_SETSIZE && found < 2; cpu++)
        if (CPU_ISSET(cpu, &allowed))
            cpus[found++] = cpu;
    if (across && found < 2) {
        fprintf(stderr, "not measured: waking across CPUs takes two, and there is one\n");
        return CANNOT;
    }
    if (pipe(to_child) || pipe(to_parent) || (child = fork()) < 0)
        return cannot("pipe");
    if (child == 0) {
        close(to_child[1]);
        close(to_parent[0]);
        if (pin(cpus[across]))
            _exit(cannot("sched_setaffinity"));
        while (read(to_child[0], &byte, 1) == 1)
            if (write(to_parent[1], &byte, 1) != 1)
                break;
        _exit(0);
    }
    close(to_child[0]);
    close(to_parent[1]);
    if (pin(cpus[0]))
        return cannot("sched_setaffinity");
    wake(1); /* the child is there, and on its CPU */
    start = before = now();
    do {
        wake(batch);
        ops += 2 * batch;
        after = now();
        if (after - before < seconds / 200)
            batch *= 2;
        before = after;
    } while (after - start < seconds);
    report(start, ops, after - start);
    close(to_child[1]);
    waitpid(child, 0, 0);
    return 0;
}

/* Each hypervisor may answer at 0x40000000 + k * 0x100 with a signature of 12 letters. Where
 * there is none, CPUs answer with the highest basic leaf: letters no signature is made of. */
static int print_leaves(void)
{
    uint32_t out[4];
    char name[13];

    cpuid(1, out);
    printf("hypervisor_bit %u\n", out[2] >> 31);
    if (!(out[2] >> 31))
        return 0;
    for (uint32_t leaf = 0x40000000; leaf <= 0x4000ff00; leaf += 0x100) {
        cpuid(leaf, out);
        memcpy(name, out + 1, 12);
        name[12] = 0;
        int letters = out[0] == 0 || (out[0] >= leaf && out[0] <= leaf + 0xff);
        for (int i = 0; i < 12 && letters; i++)
            letters = (name[i] == 0 && i >= 3) || (name[i] >= ' ' && name[i] <= '~');
        if (letters && name[0])
            printf("leaf 0x%08x %s\n", leaf, name);
    }
    return 0;
}

static int print_tsc(void)
{
    double start = now(), end;
    uint64_t first = rdtsc();
    do
        end = now();
    while (end - start < 0.1);
    printf("tsc_khz %.0f\n", (rdtsc() - first) / (end - start) / 1e3);
    return 0;
}

/* The seconds in "… --seconds S"; 0 if there are none that make sense. */
static double seconds_in(int argc, char **argv)
{
    char *rest;
    double seconds;

    if (argc < 4 || strcmp(argv[argc - 2], "--seconds"))
        return 0;
    seconds = strtod(argv[argc - 1], &rest);
    return !*rest && seconds > 0 && seconds <= 3600 ? seconds : 0;
}

int main(int argc, char **argv)
{
    double seconds = seconds_in(argc, argv);
    const char *what = argc > 1 ? argv[1] : "", *how = argc == 5 ? argv[2] : "";

    if (argc == 2 && !strcmp(what, "leaves"))
        return print_leaves();
    if (argc == 2 && !strcmp(what, "tsc"))
        return print_tsc();
    if (seconds && argc == 4 && !strcmp(what, "exit"))
        return measure(execute_cpuid, seconds);
    if (seconds && argc == 4 && !strcmp(what, "syscall"))
        return measure(call_kernel, seconds);
    if (seconds && argc == 4 && !strcmp(what, "memory"))
        return measure_memory(seconds);
    if (seconds && !strcmp(what, "touch") && !strcmp(how, "first"))
        return measure_first_touch(seconds);
    if (seconds && !strcmp(what, "touch") && !strcmp(how, "second"))
        return measure_second_touch(seconds);
    if (seconds && !strcmp(what, "wakeup") && (!strcmp(how, "same") || !strcmp(how, "across")))
        return measure_wakeup(*how == 'a', seconds);
    fprintf(stderr, "usage: nestkit-probe exit | syscall | touch first | touch second | memory | "
                    "wakeup same | wakeup across  --seconds S\n"
                    "       nestkit-probe leaves | tsc\n");
    return 2;
}
