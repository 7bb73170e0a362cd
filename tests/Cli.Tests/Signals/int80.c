// int 0x80 in a 64-bit program: arguments, results and layouts.
#include "common.h"
#ifdef __x86_64__
static long i80(long n, long a, long b, long c, long d, long e)
{
    long r;
    asm volatile("int $0x80" : "=a"(r) : "a"(n), "b"(a), "c"(b), "d"(c), "S"(d), "D"(e) : "memory", "r8", "r9", "r10", "r11");
    return r;
}
int main()
{
    char *low = mmap(0, 65536, 3, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
    long l = (long)low;
    printf("%ld %ld %ld\n", i80(6, 999, 0, 0, 0, 0), i80(4, 1, 0, 5, 0, 0), i80(0x1000, 0, 0, 0, 0, 0));
    printf("umask %ld %ld\n", i80(60, 022, 0, 0, 0, 0), i80(60, 022, 0, 0, 0, 0));
    if (0)
        printf("getuid %ld\n", i80(24, 0, 0, 0, 0, 0));
    int fd = open("/proc/self/exe", 0);
    memset(low, 0x55, 4096);
    printf("fstat64 %ld", i80(197, fd, l, 0, 0, 0));
    struct stat64b
    {
        char x[96];
    };
    int sz;
    printf(" mode %o\n", *(unsigned *)(low + 16));
    unsigned *ts = (void *)low;
    ts[0] = 0;
    ts[1] = 1000000;
    printf("nanosleep %ld\n", i80(162, l, 0, 0, 0, 0));
    printf("clock_gettime %ld %d\n", i80(265, 1, l, 0, 0, 0), ts[0] < 100000000 && ts[1] < 1000000000);
    printf("gettimeofday %ld %d\n", i80(78, l, 0, 0, 0, 0), ts[0] > 1000000000);
    printf("time %d\n", i80(13, 0, 0, 0, 0, 0) > 1000000000);
    printf("lseek %ld %ld\n", i80(19, fd, -5, 2, 0, 0) > 0, i80(19, fd, -5, 0, 0, 0));
    printf("llseek %ld", i80(140, fd, 0, 100, l, 0));
    printf(" %llu\n", *(unsigned long long *)low);
    printf("brk low %d\n", (unsigned long)i80(45, 0, 0, 0, 0, 0) < (1ull << 47));
    long m = i80(192, 0, 8192, 3, 0x22, -1);
    printf("mmap2 %d\n", m > 0 && m < (1l << 32));
    printf("munmap %ld\n", i80(91, m, 8192, 0, 0, 0));
    printf("sigaltstack %ld", i80(186, 0, l, 0, 0, 0));
    printf(" flags %x size %x\n", ts[1], ts[2]);
    memset(low, 0, 64);
    ts[0] = 1;
    printf("rt_sigaction get %ld", i80(174, 10, 0, l, 8, 0));
    printf(" %x %x\n", ts[0], ts[1]);
    ts[0] = l + 100;
    ts[1] = 4;
    strcpy(low + 100, "abc\n");
    fflush(stdout);
    printf("=%ld\n", i80(146, 1, l, 1, 0, 0));
    printf("uname %ld ", i80(122, l, 0, 0, 0, 0));
    printf("%d\n", !strcmp(low, "Linux"));
    printf("sysinfo %ld\n", i80(116, l, 0, 0, 0, 0));
    printf("getrlimit %ld", i80(191, 7, l, 0, 0, 0));
    printf(" %d\n", ts[0] > 0);
    printf("rax hi: ");
    {
        unsigned long r, c = 0xffffffff00000014ul;
        asm volatile("int $0x80" : "=a"(r) : "a"(c) : "memory");
        printf("%d\n", r == getpid());
    }
    {
        unsigned long r, rb, rc, rd, rs;
        asm volatile(
            "movabs $0x1111111122222222,%%rcx\nmovabs $0x3333333344444444,%%rdx\nmovabs $0x5555555566666666,%%rsi\nmov $20,%%eax\nint $0x80"
            : "=a"(r), "=c"(rc), "=d"(rd), "=S"(rs)::"memory");
        printf("%lx %lx %lx\n", rc, rd, rs);
    }
    {
        unsigned long f1, f2;
        asm volatile("stc\nmov $20,%%eax\nint $0x80\npushf\npop %0" : "=r"(f1)::"rax", "memory", "cc");
        printf("cf %ld\n", f1 & 1);
    }
    return 0;
}
#else
int main()
{
    puts("n/a");
}
#endif
