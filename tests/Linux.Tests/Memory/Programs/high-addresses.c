/* Mappings anywhere in the 47 bits of user space: where they may be, accesses across pages and boundaries of 512 GiB, code, fork. */
#include "memory.h"
#include <sys/uio.h>
#include <time.h>

#define SPAN (1L << 39)
#define TOP ((1L << 47) - PAGE)
#define RW (PROT_READ | PROT_WRITE)

static long fixed(long address, long length, int protection, int flags)
{
    return MAP(address, length, protection, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE | flags, -1, 0);
}

/* Each size of access at each place around an address, again and again, the way hot code does it. */
static word sweep(char *at, int rounds)
{
    word sum = 0;
    for (int round = 0; round < rounds; round++)
        for (int i = -16; i < 16; i++) {
            char *p = at + i;
            *(volatile unsigned char *)p += round + i;
            *(volatile unsigned short *)p ^= (unsigned short)(sum >> 3);
            *(volatile unsigned *)p += (unsigned)sum;
            *(volatile word *)p = *(volatile word *)p * 3 + i;
            __asm__ volatile("movdqu (%0), %%xmm0\n\tpaddb %%xmm0, %%xmm0\n\tmovdqu %%xmm0, 1(%0)" : : "r"(p) : "xmm0", "memory");
            sum = sum * 31 + *(volatile word *)(p - 8);
        }
    return sum;
}

static void places(void)
{
    static const long at[] = { 1L << 32, SPAN - PAGE, SPAN, 1L << 40, 3 * SPAN - 5 * PAGE, 1L << 44, 1L << 45, 1L << 46, 0x7abcdef12000, 0x7e0000000000 };
    base = 0;
    for (unsigned i = 0; i < sizeof at / sizeof *at; i++) {
        PLACE("place", fixed(at[i], 8 * PAGE, RW, 0));
        printf("%lx\n", sweep((char *)at[i] + 3 * PAGE, 3));
        ERROR("taken", fixed(at[i] + PAGE, PAGE, RW, 0));
        ERROR("half", munmap((void *)(at[i] + 4 * PAGE), 4 * PAGE));
        ACCESS("gone", READ(at[i] + 4 * PAGE));
        ACCESS("across", *(volatile word *)(at[i] + 4 * PAGE - 3) = 1);
        ERROR("no more", munmap((void *)at[i], 4 * PAGE));
        ACCESS("gone", WRITE(at[i]));
    }
    PLACE("last", fixed(TOP - 64 * PAGE, PAGE, RW, 0));
    ERROR("end", fixed(TOP, PAGE, RW, 0));
    ERROR("beyond", MAP(1L << 47, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0));
    ERROR("negative", MAP(-PAGE, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0));
    ERROR("too long", MAP(1L << 46, 1L << 46, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0));
    ERROR("odd", MAP((1L << 46) + 1, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0));
    ERROR("unmap beyond", munmap((void *)TOP, 2 * PAGE));
    PLACE("hint", MAP(5L << 42, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    ACCESS("kernel", READ(-1L << 47));
    ACCESS("no address", READ(1L << 47));
}

static void boundary(void)
{
    char *edge = base = (char *)(77 * SPAN);
    struct iovec local, remote;
    char bytes[16384], back_again[16384];
    unsigned char core[8];
    int fds[2], fd, i;
    word all = 0;
    PLACE("boundary", fixed((long)edge - 4 * PAGE, 8 * PAGE, RW, 0));
    printf("%lx\n", sweep(edge, 2000));
    printf("%lx\n", sweep(edge + 2 * PAGE, 2000));
    ACCESS("last word", *(volatile word *)(edge + 4 * PAGE - 8) = 1);
    ACCESS("over the end", *(volatile word *)(edge + 4 * PAGE - 7) = 1);
    ACCESS("before the beginning", *(volatile word *)(edge - 4 * PAGE - 1) = 1);
    ERROR("read only", mprotect(edge - PAGE, 2 * PAGE, PROT_READ));
    maps(edge - 4 * PAGE, edge + 4 * PAGE);
    ACCESS("write across", *(volatile word *)(edge - 4) = 1);
    ACCESS("write", WRITE(edge));
    ERROR("one half", mprotect(edge - PAGE, PAGE, RW));
    ACCESS("write across", *(volatile word *)(edge - 4) = 1);
    printf("%x\n", *(unsigned char *)(edge - 4));
    ERROR("both", mprotect(edge, PAGE, RW));

    for (i = 0; i < (int)sizeof bytes; i++)
        bytes[i] = i * 7 + i / 256;
    memmove(edge - 8000, bytes, sizeof bytes);
    printf("same %d\n", memcmp(edge - 8000, bytes, sizeof bytes) == 0);
    fd = temporary_file(0);
    VALUE("write", write(fd, edge - 8000, sizeof bytes));
    memset(edge - 8000, 0, sizeof bytes);
    VALUE("read", pread(fd, edge - 8000, sizeof bytes, 0));
    printf("same %d\n", memcmp(edge - 8000, bytes, sizeof bytes) == 0);
    pipe(fds);
    VALUE("pipe", write(fds[1], edge - 8000, sizeof bytes));
    VALUE("pipe", read(fds[0], back_again, sizeof bytes));
    printf("same %d\n", memcmp(back_again, bytes, sizeof bytes) == 0);
    local = (struct iovec){ back_again, sizeof bytes };
    remote = (struct iovec){ edge - 8000, sizeof bytes };
    memset(back_again, 0, sizeof bytes);
    VALUE("process_vm_readv", process_vm_readv(getpid(), &local, 1, &remote, 1, 0));
    printf("same %d\n", memcmp(back_again, bytes, sizeof bytes) == 0);

    ERROR("dontneed", madvise(edge - PAGE, 2 * PAGE, MADV_DONTNEED));
    printf("%d %d %d %d\n", edge[-PAGE - 1] != 0, edge[-1], edge[0], edge[PAGE] != 0);
    ERROR("populate", madvise(edge - 4 * PAGE, 8 * PAGE, MADV_POPULATE_WRITE));
    ERROR("mincore", mincore(edge - 4 * PAGE, 8 * PAGE, core));
    for (i = 0; i < 8; i++)
        all += core[i] & 1;
    printf("%ld pages\n", all);

    strcpy(edge - 3, "across");
    PLACE("move", mremap(edge - 4 * PAGE, 8 * PAGE, 16 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, edge + 20 * SPAN - 2 * PAGE));
    printf("%s\n", edge + 20 * SPAN + 2 * PAGE - 3);
    ACCESS("old", READ(edge));
    PLACE("grow", mremap(edge + 20 * SPAN - 2 * PAGE, 16 * PAGE, 4000 * PAGE, 0));
    WRITE(edge + 20 * SPAN + 3997 * PAGE);
    PLACE("file", mmap(edge - 2 * PAGE, 4 * PAGE, RW, MAP_SHARED | MAP_FIXED, fd, 0));
    printf("same %d\n", memcmp(edge - 2 * PAGE, bytes, sizeof bytes) == 0);
    strcpy(edge - 5, "file too");
    ERROR("sync", msync(edge - 2 * PAGE, 4 * PAGE, MS_SYNC));
    pread(fd, back_again, 9, 2 * PAGE - 5);
    printf("%s\n", back_again);
    maps(edge - 4 * PAGE, edge + 21 * SPAN);
    close(fd);
}

/* Adds up what a list of pointers leads to; the pointers are in several places. */
static word visit(word **list, int count, int rounds)
{
    word sum = 0;
    for (int round = 0; round < rounds; round++)
        for (int i = 0; i < count; i++)
            sum = sum * 5 + (*list[(i * 7 + round) % count])++;
    return sum;
}

static void several(void)
{
    static word near;
    word *list[12], *far[12];
    base = 0;
    for (int i = 0; i < 12; i++) {
        PLACE("one of several", fixed((long)(i * 9 + 5) * SPAN + i * PAGE, 4 * PAGE, RW, 0));
        far[i] = (word *)((i * 9 + 5) * SPAN + i * PAGE + 8 * i);
        list[i] = i % 4 == 3 ? &near : far[i];
    }
    printf("%lx\n", visit(far, 1, 20000));
    printf("%lx\n", visit(far, 12, 20000));
    printf("%lx\n", visit(list, 12, 20000));
    printf("%lx\n", visit(list + 3, 1, 20000));
}

/* mov eax, 0; inc eax; dec edi; jnz; ret */
static const unsigned char counting[] = { 0xB8, 0, 0, 0, 0, 0xFF, 0xC0, 0xFF, 0xCF, 0x75, 0xFA, 0xC3 };

static void code(void)
{
    static const long at[] = { 1L << 41, (1L << 46) + 0x1230, 90 * SPAN - 6, 90 * SPAN - 4, 90 * SPAN - 1, (1L << 47) - 100 * PAGE };
    base = 0;
    fixed(1L << 41, 4 * PAGE, RW | PROT_EXEC, 0);
    fixed(1L << 46, 4 * PAGE, RW | PROT_EXEC, 0);
    fixed(90 * SPAN - 2 * PAGE, 4 * PAGE, RW | PROT_EXEC, 0);
    fixed((1L << 47) - 100 * PAGE, PAGE, RW | PROT_EXEC, 0);
    for (unsigned i = 0; i < sizeof at / sizeof *at; i++) {
        int (*f)(int) = (int (*)(int))at[i];
        word sum = 0;
        memcpy((char *)at[i], counting, sizeof counting);
        for (int n = 1; n < 400; n++)
            sum += f(n * 20);
        printf("%lx: %lx\n", at[i], sum);
        for (int n = 1; n < 400; n++) {
            ((volatile unsigned char *)at[i])[1] = n;
            sum += f(n);
        }
        printf("%lx: %lx\n", at[i], sum);
    }
    mprotect((void *)(1L << 41), PAGE, RW);
    ACCESS("not executable", ((int (*)(int))(1L << 41))(1));
    ACCESS("nothing there", ((int (*)(int))(1L << 43))(1));
    ACCESS("no address", ((int (*)(int))(1L << 47))(1));
}

static void forks(void)
{
    char *high = base = (char *)(200 * SPAN);
    int status;
    fixed((long)high - PAGE, 2 * PAGE, RW, 0);
    MAP(high + PAGE, PAGE, RW, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    fixed((long)high + 2 * PAGE, 8L << 40, PROT_NONE, MAP_NORESERVE);
    strcpy(high - 4, "parent");
    if (fork() == 0) {
        printf("child: %s\n", high - 4);
        strcpy(high - 4, "child!");
        strcpy(high + PAGE, "shared");
        ACCESS("child", READ(high + (1L << 40)));
        mprotect(high + (1L << 40), PAGE, RW);
        ACCESS("child", WRITE(high + (1L << 40)));
        exit(0);
    }
    wait(&status);
    printf("parent: %s %s %d\n", high - 4, high + PAGE, status);
    ACCESS("parent", WRITE(high + (1L << 40)));
}

static void reservations(void)
{
    struct timespec start, end;
    char *at, *other;
    base = 0;
    clock_gettime(CLOCK_MONOTONIC, &start);
    at = mmap(NULL, 16L << 40, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    other = mmap(NULL, 20L << 40, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    printf("reserved %d %d\n", at != MAP_FAILED, other != MAP_FAILED);
    ERROR("huge pages", madvise(other, 20L << 40, MADV_NOHUGEPAGE));
    ERROR("dontneed", madvise(other, 20L << 40, MADV_DONTNEED));
    clock_gettime(CLOCK_MONOTONIC, &end);
    printf("at once %d\n", (end.tv_sec - start.tv_sec) * 1000 + (end.tv_nsec - start.tv_nsec) / 1000000 < 500);
    base = at;
    ACCESS("reserved", READ(at + (7L << 40)));
    ERROR("part", mprotect(at + (7L << 40), 1L << 30, RW));
    ACCESS("part", WRITE(at + (7L << 40) + (1L << 30) - 1));
    ACCESS("behind it", WRITE(at + (7L << 40) + (1L << 30)));
    base = other;
    for (long i = 0; i < 20; i++)
        other[(i << 40) + i * 12345] = i;
    ERROR("dontneed", madvise(other, 20L << 40, MADV_DONTNEED));
    for (long i = 0; i < 20; i++)
        sink += other[(i << 40) + i * 12345];
    printf("sum %d\n", sink);
    ERROR("unmap", munmap(other, 20L << 40));
    ERROR("unmap", munmap(at, 16L << 40));
    ACCESS("gone", READ(other));
}

int main(int argc, char **argv)
{
    init(argc, argv);
    places();
    boundary();
    several();
    code();
    forks();
    reservations();
    return 0;
}
