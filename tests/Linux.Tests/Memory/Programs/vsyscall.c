/* The vsyscall page of x86-64: what its entries do, and what else happens there. */
#include "memory.h"
#include <sys/time.h>
#include <time.h>

#define ENTRY(n) (0xffffffffff600000UL + (n) * 1024)

int main(int argc, char **argv)
{
    char line[512];
    struct timeval now, later;
    unsigned cpu = 99, node = 99;
    long clock = 0, difference;
    FILE *file;
    init(argc, argv);
    base = 0;
    file = fopen("/proc/self/maps", "r");
    while (fgets(line, sizeof line, file))
        if (strstr(line, "[vsyscall]"))
            printf("%s", line);
    fclose(file);
    for (int i = 0; i < 300; i++) {
        result = ((long (*)(struct timeval *, void *))ENTRY(0))(&now, NULL);
        gettimeofday(&later, NULL);
        difference = (later.tv_sec - now.tv_sec) * 1000000 + later.tv_usec - now.tv_usec;
        if (result != 0 || difference < 0 || difference > 5000000)
            printf("gettimeofday: %ld, %ld\n", result, difference);
    }
    result = ((long (*)(long *))ENTRY(1))(&clock);
    printf("time: %d %d\n", result == clock, labs(time(NULL) - result) < 5);
    result = ((long (*)(unsigned *, unsigned *, void *))ENTRY(2))(&cpu, &node, NULL);
    printf("getcpu: %ld %d %d\n", result, cpu < 4096, node < 4096);
    ACCESS("read", READ(ENTRY(0)));
    ACCESS("write", WRITE(ENTRY(0)));
    ACCESS("between entries", ((long (*)(void))(ENTRY(0) + 8))());
    ACCESS("no entry", ((long (*)(void))ENTRY(3))());
    ACCESS("next page", ((long (*)(void))(ENTRY(0) + 4096))());
    ACCESS("bad argument", ((long (*)(long))ENTRY(1))(16));
    ACCESS("argument of the kernel", ((long (*)(long))ENTRY(1))(-8192));
    return 0;
}
