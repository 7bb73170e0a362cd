/* Stacks that grow: the main one to the limit in force, MAP_GROWSDOWN to what lies below. */
#include "memory.h"

#define MIB (1L << 20)

static char *volatile deepest;
static char *start;

/* Stops by the signal that the end of the stack is, or at a depth. */
static __attribute__((noinline)) long descend(long limit)
{
    volatile char frame[1000];
    frame[0] = 1;
    deepest = (char *)frame;
    if (start - (char *)frame < limit)
        return descend(limit) + frame[0];
    return frame[0];
}

static void limit(const char *name, long bytes, long depth)
{
    struct rlimit stack;
    long reached;
    getrlimit(RLIMIT_STACK, &stack);
    stack.rlim_cur = bytes;
    ERROR("limit", setrlimit(RLIMIT_STACK, &stack));
    signal_number = 0;
    if (!sigsetjmp(back, 1))
        descend(depth);
    reached = start - deepest;

    /* Arguments and environment take some of it. */
    printf("%s: signal %d code %d, %s\n", name, signal_number, signal_number ? signal_code : 0,
        reached >= depth ? "all the way" : reached > bytes - MIB / 2 && reached <= bytes ? "to the limit" : "elsewhere");
}

static void grows_down(void)
{
    char *top = base = hole(3000) + 2000 * PAGE;
    long pages;
    PLACE("grows", MAP(top, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_GROWSDOWN | MAP_FIXED, -1, 0));
    ACCESS("above", WRITE(top + PAGE));
    ACCESS("next", WRITE(top - 1));
    ACCESS("far", WRITE(top - 100 * PAGE));
    maps(top - 2000 * PAGE, top + PAGE);
    PLACE("below", MAP(top - 600 * PAGE, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0));
    for (pages = 101; pages < 600; pages++) {
        signal_number = 0;
        if (!sigsetjmp(back, 1))
            WRITE(top - pages * PAGE);
        if (signal_number)
            break;
    }
    printf("%ld pages\n", pages);
    ERROR("no access below", mprotect(top - 600 * PAGE, PAGE, PROT_NONE));
    ACCESS("to the neighbour", WRITE(top - 599 * PAGE));
    ACCESS("neighbour", WRITE(top - 600 * PAGE));
    maps(top - 2000 * PAGE, top + PAGE);
    ERROR("read only", mprotect(top - 100 * PAGE, PAGE, PROT_READ));
    ERROR("grows down", mprotect(top, PAGE, PROT_READ | PROT_GROWSDOWN));
}

int main(int argc, char **argv)
{
    init(argc, argv);
    start = (char *)&argc;
    limit("enough", 2 * MIB, MIB);
    limit("too deep", 2 * MIB, 6 * MIB);
    limit("again", 2 * MIB, 6 * MIB);
    limit("more", 5 * MIB, 4 * MIB);
    limit("too deep", 5 * MIB, 7 * MIB);
    limit("less", 3 * MIB, 7 * MIB);
    grows_down();
    return 0;
}
