/* The guest that comes with DynaTrans: integer loops, memory, calls and returns, and a system call to print what came out.
 * No libc; `build` beside this file makes demo-i386 and demo-x86_64 of it. An argument is the number of rounds (1 if there is none). */

typedef unsigned int u32;

#ifdef __x86_64__
static long call3(long number, long a, long b, long c)
{
    long result;
    __asm__ volatile("syscall" : "=a"(result) : "a"(number), "D"(a), "S"(b), "d"(c) : "rcx", "r11", "memory");
    return result;
}
enum { SYS_WRITE = 1, SYS_EXIT = 60 };
__asm__(".globl _start\n_start: mov %rsp, %rdi\n and $-16, %rsp\n call guest\n");
#else
static long call3(long number, long a, long b, long c)
{
    long result;
    __asm__ volatile("int $0x80" : "=a"(result) : "a"(number), "b"(a), "c"(b), "d"(c) : "memory");
    return result;
}
enum { SYS_WRITE = 4, SYS_EXIT = 1 };
__asm__(".globl _start\n_start: mov %esp, %eax\n and $-16, %esp\n sub $12, %esp\n push %eax\n call guest\n");
#endif

enum { LIMIT = 200000, WORDS = 4096 };

static unsigned char composite[LIMIT];
static u32 table[256], words[WORDS];

/* Counts primes below LIMIT. */
static u32 sieve(void)
{
    u32 count = 0;
    for (u32 i = 0; i < LIMIT; i++)
        composite[i] = 0;
    for (u32 i = 2; i < LIMIT; i++) {
        if (composite[i])
            continue;
        count++;
        for (u32 j = i + i; j < LIMIT; j += i)
            composite[j] = 1;
    }
    return count;
}

/* CRC-32 of what the sieve left. */
static u32 crc(void)
{
    for (u32 i = 0; i < 256; i++) {
        u32 c = i;
        for (int k = 0; k < 8; k++)
            c = (c >> 1) ^ (-(c & 1) & 0xEDB88320u);
        table[i] = c;
    }
    u32 c = ~0u;
    for (u32 i = 0; i < LIMIT; i++)
        c = table[(c ^ composite[i]) & 255] ^ (c >> 8);
    return ~c;
}

__attribute__((noinline)) static u32 fib(u32 n)
{
    return n < 2 ? n : fib(n - 1) + fib(n - 2);
}

/* Sorts pseudo-random numbers and gives the median. */
static u32 sort(u32 seed)
{
    for (u32 i = 0; i < WORDS; i++)
        words[i] = seed = seed * 1664525u + 1013904223u;
    for (u32 gap = WORDS / 2; gap != 0; gap /= 2)
        for (u32 i = gap; i < WORDS; i++) {
            u32 value = words[i], j = i;
            for (; j >= gap && words[j - gap] > value; j -= gap)
                words[j] = words[j - gap];
            words[j] = value;
        }
    return words[WORDS / 2];
}

static void print(const char *name, u32 value)
{
    char line[48];
    int n = 0;
    while (*name)
        line[n++] = *name++;
    for (int shift = 28; shift >= 0; shift -= 4)
        line[n++] = "0123456789abcdef"[value >> shift & 15];
    line[n++] = '\n';
    call3(SYS_WRITE, 1, (long)line, n);
}

void guest(long *stack)
{
    u32 rounds = 1;
    if (stack[0] > 1) {
        rounds = 0;
        for (const char *p = (const char *)stack[2]; *p >= '0' && *p <= '9'; p++)
            rounds = rounds * 10 + (u32)(*p - '0');
    }
    u32 primes = 0, check = 0, numbers = 0, median = 1;
    for (u32 i = 0; i < rounds; i++) {
        primes = sieve();
        check = crc();
        numbers += fib(22);
        median = sort(median);
    }
    print("primes below 200000  ", primes);
    print("crc-32 of the sieve  ", check);
    print("fibonacci, summed    ", numbers);
    print("median of the sorted ", median);
    call3(SYS_EXIT, 0, 0, 0);
}
