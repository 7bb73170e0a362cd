// Ways between 64-, 32- and 16-bit code, system calls from there, and signals that meet it.
#include "segments.h"
#include <pthread.h>

static volatile int seen;
static unsigned seen_code, seen_stack, seen_ds;
static unsigned long seen_pc;

static void on_signal(int signal, siginfo_t *info, void *context)
{
    ucontext_t *c = context;
    seen_code = CODE_SELECTOR(c);
    seen_stack = STACK_SELECTOR(c);
    seen++;
}

// int 0x80 is the i386 interface whatever code makes the call.
CODE32(getpid32, "mov $20, %eax; int $0x80");
CODE32(kill32, "mov %eax, %ebx; mov %edx, %ecx; mov $37, %eax; int $0x80; mov $0x12345, %eax");
CODE32(kill_on_stack, "mov %ss, %esi; mov %esp, %edi; mov %ecx, %ss; mov $0x800, %esp; push $0x77; mov %eax, %ebx; mov %edx, %ecx; mov $37, %eax; int $0x80; "
                      "pop %eax; mov %esi, %ss; mov %edi, %esp");
CODE32(spin32, "1: cmpl $0, (%edx); je 1b; mov (%edx), %eax");
CODE16(kill16, "mov %eax, %ebx; mov %edx, %ecx; mov $37, %eax; int $0x80; mov $0x5432, %eax");

#ifdef __x86_64__
CODE32(jump_to_64, "ljmp $0x33, $1f; .code64; 1: mov $0x1122334455667788, %r8; lea (%r8, %r8), %rax; shr $32, %rax; add %r13, %rax; sub $8, %rsp; "
                   "movl $0x23, 4(%rsp); lea 2f(%rip), %r9; mov %r9d, (%rsp); lret; .code32; 2: inc %eax");
#else
asm(".pushsection .text; to_64: .code64; mov $0x1122334455667788, %rcx; add %rcx, %rcx; shr $32, %rcx; lea (%rcx, %rax), %rax; lret; "
    "pid_64: mov %rdi, %r9; mov $39, %eax; syscall; mov %r9, %rdi; lret; "
    "wide_64: mov $0x7fffffff0000, %rax; mov (%rax), %rax; lret; .code32; .popsection");
extern char to_64[], pid_64[], wide_64[];
#endif

static void modes(void)
{
#ifdef __x86_64__
    printf("from 32 to 64 and back %x\n", call_far(0x23, ADDRESS(jump_to_64), 0, 0, 0));
    unsigned sum = 0;
    for (int i = 0; i < 200000; i++)
        sum += call_far(0x23, ADDRESS(jump_to_64), i, 0, 0) ^ i;
    printf("many times %x\n", sum);

    // iretq into 32-bit code, which returns by a far return.
    unsigned long result;
    asm volatile("mov %%rsp, %%r12; mov %[stack], %%rsp; sub $8, %%rsp; lea 1f(%%rip), %%rbx; mov %%ebx, (%%rsp); movl $0x33, 4(%%rsp); mov %%rsp, %%rbx; "
                 "pushq $0x2b; push %%rbx; pushf; pushq $0x23; push %[code]; iretq; 1: mov %%r12, %%rsp"
                 : "=a"(result)
                 : [stack] "r"(low + 0x10000), [code] "r"((unsigned long)ADDRESS(getpid32)), "d"(low)
                 : "rbx", "rcx", "rsi", "rdi", "r12", "memory", "cc");
    printf("iretq %d\n", (int)result == getpid());
#else
    printf("from 32 to 64 and back %x\n", call_far(0x33, ADDRESS(to_64), 5, 0, 0));
    unsigned sum = 0;
    for (int i = 0; i < 200000; i++)
        sum += call_far(0x33, ADDRESS(to_64), i, 0, 0) ^ i;
    printf("many times %x\n", sum);
    printf("syscall there %d\n", (int)call_far(0x33, ADDRESS(pid_64), 5, 0, 0) == getpid());
    TRY(call_far(0x33, ADDRESS(wide_64), 5, 0, 0));
#endif
}

static void calls(void)
{
    printf("int 80 in 32-bit code %d\n", (int)call_far(0x23, ADDRESS(getpid32), 0, 0, 0) == getpid());
    long result;
    asm volatile("int $0x80" : "=a"(result) : "a"(20) : "memory");
    printf("int 80 in own code %d\n", (int)result == getpid());
    asm volatile("int $0x80" : "=a"(result) : "a"(6), "b"(-5L) : "memory");
    printf("its errors %ld\n", result);
    printf("through a local segment %d\n", (set_entry(1, 0, 0xFFFFF, 1, 2, 0, 1, 0), (int)call_far(LDT(1), ADDRESS(getpid32), 0, 0, 0) == getpid()));
}

static void signals(void)
{
    struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    sigaction(SIGUSR1, &action, NULL);
    printf("killed %x", call_far(0x23, ADDRESS(kill32), getpid(), 0, SIGUSR1));
    printf(" handler %d, code %x stack %x\n", seen, seen_code, seen_stack);
    set_entry(1, 0, 0xFFFFF, 1, 2, 0, 1, 0);
    printf("killed %x", call_far(LDT(1), ADDRESS(kill32), getpid(), 0, SIGUSR1));
    printf(" handler %d, code %x stack %x\n", seen, seen_code, seen_stack);
    set_entry(2, ADDRESS(low), 0xFFF, 1, 0, 0, 0, 0);
    printf("killed %x", call_far(0x23, ADDRESS(kill_on_stack), getpid(), LDT(2), SIGUSR1));
    printf(" handler %d, code %x stack %x\n", seen, seen_code, seen_stack);
    set_entry(3, ADDRESS(kill16) & ~0xFFF, 0xFFFF, 0, 2, 0, 0, 0);
    printf("killed %x", call_far(LDT(3), ADDRESS(kill16) & 0xFFF, getpid(), 0, SIGUSR1));
    printf(" handler %d, code %x stack %x\n", seen, seen_code, seen_stack);
}

static unsigned bad_code, bad_stack;

static void spoil(int signal, siginfo_t *info, void *context)
{
    ucontext_t *c = context;
#ifdef __x86_64__
    unsigned long old = c->uc_mcontext.gregs[REG_CSGSFS];
    c->uc_mcontext.gregs[REG_CSGSFS] = (old & 0x0000FFFFFFFF0000) | bad_code | (unsigned long)bad_stack << 48;
#else
    c->uc_mcontext.gregs[REG_CS] = bad_code;
    c->uc_mcontext.gregs[REG_SS] = bad_stack;
#endif
}

static void returns(void)
{
    struct sigaction action = {.sa_sigaction = spoil, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    sigaction(SIGUSR2, &action, NULL);
    set_entry(4, 0, 0xFFFFF, 1, 2, 0, 1, 1);
    set_entry(5, 0, 0xFFFFF, 1, 0, 0, 1, 1);
    set_entry(6, 0, 0xFFFFF, 1, 0, 1, 1, 0);
    set_entry(7, 0, 0xFFF, 1, 2, 0, 0, 0);
    unsigned pairs[][2] = {{OWN_CODE, 0x2B}, {0, 0x2B}, {0x10, 0x2B}, {0x2B, 0x2B}, {LDT(4), 0x2B}, {LDT(7), 0x2B}, {LDT(90), 0x2B}, {OWN_CODE, 0}, {OWN_CODE, 0x18},
                           {OWN_CODE, 0x23}, {OWN_CODE, LDT(5)}, {OWN_CODE, LDT(6)}, {OWN_CODE, LDT(90)}, {LDT(4), LDT(5)}, {OWN_CODE & ~3, 0x28}};
    for (unsigned i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++)
    {
        bad_code = pairs[i][0];
        bad_stack = pairs[i][1];
        printf("return to %x %x\n", bad_code, bad_stack);
        TRY(raise(SIGUSR2); puts("  goes on"));
    }
}

static void *other(void *argument)
{
    unsigned *word = argument;
    while (__atomic_load_n(word, __ATOMIC_ACQUIRE) == 0)
        ;
    printf("another thread sees %x\n", call_far(LDT(8), ADDRESS(getpid32), 0, 0, 0) == getpid());
    return NULL;
}

static void sharing(void)
{
    unsigned word = 0;
    pthread_t thread;
    pthread_create(&thread, NULL, other, &word);
    set_entry(8, 0, 0xFFFFF, 1, 2, 0, 1, 0);
    __atomic_store_n(&word, 1, __ATOMIC_RELEASE);
    pthread_join(thread, NULL);
    int status;
    if (fork() == 0)
    {
        printf("a child sees %x\n", call_far(LDT(8), ADDRESS(getpid32), 0, 0, 0) == getpid());
        set_entry(8, 0, 0, 1, 2, 0, 0, 0);
        set_entry(100, 0, 0xFFFFF, 1, 2, 0, 1, 0);
        _exit(0);
    }

    wait(&status);
    printf("status %d, still %x\n", status, call_far(LDT(8), ADDRESS(getpid32), 0, 0, 0) == getpid());
    TRY(call_far(LDT(100), ADDRESS(getpid32), 0, 0, 0));

    // An entry that is in use changes: DS and ES see it, FS and GS do not.
    unsigned es, fs, ds;
    set_entry(9, 0, 0xFFFFF, 1, 0, 0, 1, 0);
#ifdef __x86_64__
    LOAD(es, LDT(9));
    LOAD(ds, LDT(9));
    struct user_desc empty = {.entry_number = 9, .read_exec_only = 1, .seg_not_present = 1};
    write_ldt(0x11, &empty, sizeof(empty));
    asm volatile("mov %%es, %0; mov %%ds, %1" : "=r"(es), "=r"(ds));
    printf("emptied: es %x ds %x\n", es, ds);
#endif
}

int main(void)
{
    set_up();
    modes();
    calls();
    signals();
    returns();
    sharing();
    return 0;
}
