/* nestkit-probe: the few measurements for which no packaged tool exists.
 *
 *   nestkit-probe exit --seconds S   execute CPUID in a loop for about S seconds
 *   nestkit-probe leaves             print the hypervisors that CPUID names
 *   nestkit-probe tsc                print the time stamp counter's frequency in kHz
 *
 * Output is one "name value" pair a line. Compiled when the lab's image is built; the same
 * bytes run in every layer.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

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

/* CPUID leaves the guest every time: the price of one exit. The clock is read once per batch,
 * and the batch grows to a hundredth of the time asked for, so that reading it costs nothing. */
static int measure_exit(double seconds)
{
    uint32_t out[4];
    uint64_t ops = 0, batch = 1;
    double start = now(), before = start, after;

    for (;;) {
        for (uint64_t i = 0; i < batch; i++)
            cpuid(0, out);
        ops += batch;
        after = now();
        if (after - start >= seconds)
            break;
        if (after - before < seconds / 200)
            batch *= 2;
        before = after;
    }
    printf("ops %llu\nns_per_op %.3f\n", (unsigned long long)ops, (after - start) * 1e9 / ops);
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

int main(int argc, char **argv)
{
    char *rest;

    if (argc == 2 && !strcmp(argv[1], "leaves"))
        return print_leaves();
    if (argc == 2 && !strcmp(argv[1], "tsc"))
        return print_tsc();
    if (argc == 4 && !strcmp(argv[1], "exit") && !strcmp(argv[2], "--seconds")) {
        double seconds = strtod(argv[3], &rest);
        if (!*rest && seconds > 0 && seconds <= 3600)
            return measure_exit(seconds);
    }
    fprintf(stderr, "usage: nestkit-probe exit --seconds S | leaves | tsc\n");
    return 2;
}
