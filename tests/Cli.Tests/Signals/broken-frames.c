// sigreturn with a frame that the handler has broken.
#include "common.h"
static int k;
static jmp_buf jb;
static void segv(int s, siginfo_t *i, void *u)
{
    ucontext_t *c = u;
    sigset_t *m = &c->uc_sigmask;
    printf("  segv code %d addr %p trap %d err %x", i->si_code, i->si_addr, (int)c->uc_mcontext.gregs[REG_TRAPNO],
        (int)c->uc_mcontext.gregs[REG_ERR]);
#ifdef __x86_64__
    printf(" ax %llx usr1 blocked %d\n", c->uc_mcontext.gregs[REG_RAX], sigismember(m, 10));
#else
    printf(" ax %x usr1 blocked %d\n", c->uc_mcontext.gregs[REG_EAX], sigismember(m, 10));
#endif
    fflush(stdout);
    _exit(3);
}
static void h(int s, siginfo_t *i, void *u)
{
    ucontext_t *c = u;
    char *f = (void *)c->uc_mcontext.fpregs;
#ifdef __x86_64__
    unsigned long long *g = (void *)c->uc_mcontext.gregs;
    int IP = REG_RIP, SP = REG_RSP;
    char *fx = f;
    unsigned short *sg = (void *)&g[REG_CSGSFS];
#else
    unsigned *g = (void *)c->uc_mcontext.gregs;
    int IP = REG_EIP, SP = REG_ESP;
    char *fx = f + 112;
#endif
    switch (k)
    {
    case 0:
        break;
    case 1:
        c->uc_mcontext.fpregs = (void *)0x10;
        break;
    case 2:
        c->uc_mcontext.fpregs = (void *)(long)0xfffffffffffff000ull;
        break;
    case 3:
        *(unsigned *)(fx + 24) = 0xffffffff;
        break;
    case 4:
        *(unsigned *)(fx + 24) |= 0x10000000;
        break;
#ifdef __x86_64__
    case 5:
        sg[0] = 0;
        break;
    case 6:
        sg[0] = 0x1000;
        break;
    case 7:
        sg[3] = 0;
        break;
    case 8:
        sg[3] = 0xfff8;
        break;
    case 9:
        g[IP] = 0x8000000000001111ull;
        break;
    case 10:
        g[IP] = 0x10;
        break;
    case 11:
        g[IP] = 0;
        break;
    case 12:
        c->uc_mcontext.fpregs = (void *)(f + 8);
        break;
    case 13:
        g[SP] = 0x8000000000000000ull;
        break;
    case 14:
        sg[0] = 0x33 & ~3;
        break;
    case 15:
        sg[3] = 0x2b & ~3;
        break;
    case 16:
        g[REG_EFL] = 0xffffffff & ~0x100 & ~0x40000;
        break;
    case 17:
        c->uc_flags = 0;
        sg[3] = 0;
        break;
#else
    case 5:
        g[REG_CS] = 0;
        break;
    case 6:
        g[REG_CS] = 0x1000;
        break;
    case 7:
        g[REG_SS] = 0;
        break;
    case 8:
        g[REG_SS] = 0xfff8;
        break;
    case 9:
        g[REG_ES] = 0x1238;
        break;
    case 10:
        g[REG_FS] = 0xfff8;
        break;
    case 11:
        g[IP] = 0;
        break;
    case 12:
        c->uc_mcontext.fpregs = (void *)(f);
        break;
    case 13:
        g[SP] = 0;
        break;
    case 14:
        g[REG_CS] = 0x23 & ~3;
        break;
    case 15:
        g[REG_SS] = 0x2b & ~3;
        break;
    case 16:
        g[REG_EFL] = 0xffffffff & ~0x100 & ~0x40000;
        break;
    case 17:
        g[REG_GS] = 0xfff8;
        break;
#endif
    case 18:
    { /* frame moved to unmapped: sp garbage and call sigreturn */
#ifdef __x86_64__
        asm volatile("mov $0x10,%rsp\nmov $15,%eax\nsyscall");
#else
        asm volatile("mov $0x10,%esp\nmov $173,%eax\nint $0x80");
#endif
    }
    case 19:
        sigaddset(&c->uc_sigmask, 10);
        c->uc_mcontext.fpregs = (void *)0x10;
        break;
    case 20:
#ifdef __x86_64__
        asm volatile("mov $0x8000000000000000,%rsp\nmov $15,%eax\nsyscall");
#else
        asm volatile("mov $0xfffffff0,%esp\nmov $119,%eax\nint $0x80");
#endif
    }
}
int main()
{
    for (int withh = 0; withh < 2; withh++)
        for (k = 0; k < 21; k++)
        {
            fflush(stdout);
            pid_t p = fork();
            if (!p)
            {
                static char al[65536];
                stack_t st = {.ss_sp = al, .ss_size = 65536};
                sigaltstack(&st, 0);
                if (withh)
                    handle(SIGSEGV, segv, SA_SIGINFO | SA_ONSTACK), handle(SIGBUS, segv, SA_SIGINFO | SA_ONSTACK);
                handle(SIGUSR2, h, SA_SIGINFO);
#ifdef __x86_64__
                long r;
                asm volatile("syscall" : "=a"(r) : "a"(62), "D"(getpid()), "S"(12) : "rcx", "r11", "memory");
#else
                asm volatile("int $0x80" ::"a"(37), "b"(getpid()), "c"(12) : "memory");
#endif
                _exit(0);
            }
            int st;
            waitpid(p, &st, 0);
            printf("%d case %d status %x\n", withh, k, st & ~0x80);
        }
    return 0;
}
