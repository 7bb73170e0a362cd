// Single steps that a handler asks for in its frame.
#include "common.h"
static volatile int n, k;
static void tr(int s, siginfo_t *i, void *u)
{
    ucontext_t *c = u;
    n++;
    unsigned long f;
    asm volatile("pushf\npop %0" : "=r"(f));
    if (n < 4)
        printf("code %d trap %d tf in frame %d tf in handler %d\n", i->si_code, (int)c->uc_mcontext.gregs[REG_TRAPNO],
            (int)(c->uc_mcontext.gregs[REG_EFL] >> 8 & 1), (int)(f >> 8 & 1));
    if (n >= 20)
        c->uc_mcontext.gregs[REG_EFL] &= ~0x100;
}
static void us(int s, siginfo_t *i, void *u)
{
    ((ucontext_t *)u)->uc_mcontext.gregs[REG_EFL] |= 0x100;
}
int main()
{
    handle(SIGTRAP, tr, SA_SIGINFO);
    handle(SIGUSR1, us, SA_SIGINFO);
    raise(SIGUSR1);
    printf("steps %d\n", n);
    n = 0;
    raise(SIGUSR1);
    printf("steps %d\n", n);
    return 0;
}
