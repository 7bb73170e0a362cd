// Shared by the programs about segments: calls into code of other segments, and faults caught with what the kernel says about them.
#define _GNU_SOURCE
#include <asm/ldt.h>
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/ucontext.h>
#include <sys/wait.h>
#include <unistd.h>

#define LOAD(segment, selector) asm volatile("mov %0, %%" #segment : : "r"((unsigned short)(selector)) : "memory")

#define LDT(entry) ((entry) << 3 | 7)

#ifdef __x86_64__
#define PC(c) (c)->uc_mcontext.gregs[REG_RIP]
#define SP(c) (c)->uc_mcontext.gregs[REG_RSP]
#define CODE_SELECTOR(c) ((unsigned)((c)->uc_mcontext.gregs[REG_CSGSFS] & 0xFFFF))
#define STACK_SELECTOR(c) ((unsigned)((c)->uc_mcontext.gregs[REG_CSGSFS] >> 48 & 0xFFFF))
#define OWN_CODE 0x33
#else
#define PC(c) (c)->uc_mcontext.gregs[REG_EIP]
#define SP(c) (c)->uc_mcontext.gregs[REG_ESP]
#define CODE_SELECTOR(c) ((unsigned)((c)->uc_mcontext.gregs[REG_CS] & 0xFFFF))
#define STACK_SELECTOR(c) ((unsigned)((c)->uc_mcontext.gregs[REG_SS] & 0xFFFF))
#define OWN_CODE 0x23
#endif

static sigjmp_buf recovery;
static int recovers;
static char *low; // 64 KiB below 4 GiB: stacks and data of other segments
static char alternate[65536];

static void on_fault(int signal, siginfo_t *info, void *context)
{
    ucontext_t *c = context;
    unsigned short now_code, now_stack;
    asm volatile("mov %%cs, %0; mov %%ss, %1" : "=r"(now_code), "=r"(now_stack));
    LOAD(es, 0x2B);
    printf("  signal %d code %d trap %d error %#x cs %#x ss %#x", signal, info->si_code, (int)c->uc_mcontext.gregs[REG_TRAPNO],
           (unsigned)c->uc_mcontext.gregs[REG_ERR], CODE_SELECTOR(c), STACK_SELECTOR(c));
    printf(", handler has cs %#x ss %#x", now_code, now_stack);
    asm volatile("mov %%cs, %0; mov %%ss, %1" : "=r"(now_code), "=r"(now_stack));
    printf(", then cs %#x ss %#x\n", now_code, now_stack);
    if (!recovers)
        _exit(1);
    recovers = 0;
    siglongjmp(recovery, 1);
}

static void set_up(void)
{
    setvbuf(stdout, NULL, _IONBF, 0);
    stack_t stack = {.ss_sp = alternate, .ss_size = sizeof(alternate)};
    sigaltstack(&stack, NULL);
    struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER};
    int signals[] = {SIGSEGV, SIGBUS, SIGILL, SIGTRAP, SIGFPE};
    for (int i = 0; i < 5; i++)
        sigaction(signals[i], &action, NULL);
#ifdef __x86_64__
    low = mmap(NULL, 0x20000, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
#else
    low = mmap(NULL, 0x20000, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
#endif
}

// Continues after the statement when it raises a signal.
#define TRY(statement)                    \
    do                                    \
    {                                     \
        recovers = 1;                     \
        if (sigsetjmp(recovery, 1) == 0)  \
        {                                 \
            statement;                    \
        }                                 \
        recovers = 0;                     \
    } while (0)

static int write_ldt(int mode, struct user_desc *d, unsigned size)
{
    int result = (int)syscall(SYS_modify_ldt, mode, d, (long)size);
    return result < 0 && result > -4096 && result != -1 ? result : result == -1 ? -errno : result;
}

static int set_entry(int entry, unsigned base, unsigned limit, int is32, int contents, int read_only, int pages, int absent)
{
    struct user_desc d = {.entry_number = entry, .base_addr = base, .limit = limit, .seg_32bit = is32, .contents = contents,
                          .read_exec_only = read_only, .limit_in_pages = pages, .seg_not_present = absent, .useable = 1};
    return write_ldt(0x11, &d, sizeof(d));
}

struct
{
    unsigned offset;
    unsigned short selector;
} __attribute__((packed)) far_pointer;

unsigned long saved_stack;

// Calls code of another segment, with a stack below 4 GiB. It returns by a far return of 32 bits.
static __attribute__((noinline)) unsigned call_far(unsigned selector, unsigned offset, unsigned a, unsigned c, unsigned d)
{
    far_pointer.offset = offset;
    far_pointer.selector = selector;
    unsigned result;
#ifdef __x86_64__
    asm volatile("mov %%rsp, saved_stack(%%rip)\n\t"
                 "mov %[stack], %%rsp\n\t"
                 "lcall *far_pointer(%%rip)\n\t"
                 "mov saved_stack(%%rip), %%rsp\n\t"
                 : "=a"(result), "+c"(c), "+d"(d)
                 : "a"(a), [stack] "r"(low + 0x10000)
                 : "rbx", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "memory", "cc");
#else
    asm volatile("push %%ebx; push %%ebp; mov %%esp, saved_stack\n\t"
                 "lcall *far_pointer\n\t"
                 "mov saved_stack, %%esp; pop %%ebp; pop %%ebx\n\t"
                 : "=a"(result), "+c"(c), "+d"(d)
                 : "a"(a)
                 : "esi", "edi", "memory", "cc");
#endif
    return result;
}

#define CODE32(name, body) \
    extern char name[];    \
    asm(".pushsection .text; .code32; " #name ": " body "; lret; .globl " #name "_end; " #name "_end:; " RESTORE_MODE "; .popsection")
#define CODE16(name, body) \
    extern char name[];    \
    asm(".pushsection .text; .code16; " #name ": " body "; data32 lret; " RESTORE_MODE "; .popsection")
#ifdef __x86_64__
#define RESTORE_MODE ".code64"
#else
#define RESTORE_MODE ".code32"
#endif
#define ADDRESS(name) ((unsigned)(unsigned long)(name))

