/*
 * For programs that print what the kernel answers: run natively and as guests, they must print the same. Addresses are printed relative to
 * base. With an argument the output goes to that file.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE 4096L
typedef unsigned long word;

#ifdef __x86_64__
#define MAP(address, length, protection, flags, fd, offset) syscall(SYS_mmap, address, length, protection, flags, fd, offset)
#else
#define MAP(address, length, protection, flags, fd, offset) syscall(SYS_mmap2, address, length, protection, flags, fd, (word)(offset) >> 12)
#endif

static sigjmp_buf back;
static volatile int signal_number, signal_code;
static void *volatile signal_address;
static char *base;
static long result;
static volatile char sink;

static void on_signal(int number, siginfo_t *info, void *context)
{
    signal_number = number;
    signal_code = info->si_code;
    signal_address = info->si_addr;
    siglongjmp(back, 1);
}

static void init(int argc, char **argv)
{
    static char stack[65536];
    struct sigaction action = { .sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_ONSTACK };
    stack_t alternate = { stack, 0, sizeof stack };
    if (argc > 1 && freopen(argv[1], "a", stdout) == NULL)
        exit(100);
    setvbuf(stdout, NULL, _IONBF, 0);
    sigaction(SIGBUS, &action, NULL);
    sigaction(SIGSEGV, &action, NULL);
    sigaltstack(&alternate, NULL);
}

#define IS_ERROR(value) ((word)(value) >= (word)-4095L)

#define PRINT(name, call, format, value) do { \
        errno = 0; \
        result = (long)(call); \
        if (result == -1 && errno) \
            printf("%s: %s\n", name, strerrorname_np(errno)); \
        else \
            printf("%s: " format "\n", name, value); \
    } while (0)

/* The error, or ok. */
#define ERROR(name, call) PRINT(name, call, "%s", "ok")

/* The error, or the value. */
#define VALUE(name, call) PRINT(name, call, "%ld", result)

/* The error, or the address. */
#define PLACE(name, call) PRINT(name, call, "base+%lx", result - (long)base)

/* The signal that a statement raises. */
#define ACCESS(name, statement) do { \
        signal_number = 0; \
        if (!sigsetjmp(back, 1)) { \
            statement; \
        } \
        if (signal_number) \
            printf("%s: signal %d code %d at %lx\n", name, signal_number, signal_code, (long)((char *)signal_address - base)); \
        else \
            printf("%s: fine\n", name); \
    } while (0)

#define READ(address) sink = *(volatile char *)(address)
#define WRITE(address) *(volatile char *)(address) = 7

static int temporary_file(long size)
{
    char name[] = "/tmp/memoryXXXXXX";
    int fd = mkstemp(name);
    unlink(name);
    if (size)
        ftruncate(fd, size);
    return fd;
}

static char *anon(long length)
{
    return base = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

/* A range with nothing mapped in it and around it. */
static char *hole(long pages)
{
    char *at = mmap(NULL, (pages + 64) * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    munmap(at, (pages + 64) * PAGE);
    return base = at + 32 * PAGE;
}

/* What /proc/self/maps says about a range; offsets of files only. */
static void maps(char *low, char *high)
{
    char line[512], flags[8];
    word start, end, offset;
    FILE *file = fopen("/proc/self/maps", "r");
    while (fgets(line, sizeof line, file)) {
        sscanf(line, "%lx-%lx %7s %lx", &start, &end, flags, &offset);
        if (end > (word)low && start < (word)high)
            printf("  %lx-%lx %s %lx\n", start - (word)base, end - (word)base, flags, flags[3] == 's' || strstr(line, "/tmp") ? offset : 0);
    }
    fclose(file);
}
