// A stack pointer below which no frame can be written.
#include "common.h"
static void h(int s, siginfo_t *i, void *u)
{
    printf("segv code %d addr %d\n", i->si_code, i->si_addr != 0);
    fflush(stdout);
    _exit(5);
}
static void u1(int s)
{
    _exit(6);
}
static void setsp(void *sp, int s)
{
#ifdef __x86_64__
    asm volatile("mov %0,%%rsp\nsyscall" ::"r"(sp), "a"(62), "D"(getpid()), "S"(s) : "rcx", "r11", "memory");
#else
    int p = getpid();
    asm volatile("mov %0,%%esp\nint $0x80" ::"r"(sp), "a"(37), "b"(p), "c"(s) : "memory");
#endif
    for (;;)
        asm volatile("");
}
int main()
{
    for (int k = 0; k < 10; k++)
    {
        fflush(stdout);
        pid_t p = fork();
        if (!p)
        {
            static char al[65536];
            stack_t st = {.ss_sp = al, .ss_size = 65536};
            sigaltstack(&st, 0);
            char *ro = mmap(0, 65536, 3, 34, -1, 0);
            if (k & 1)
                handle(SIGSEGV, h, SA_SIGINFO | SA_ONSTACK);
            handle(SIGUSR1, u1, 0);
            switch (k / 2)
            {
            case 0:
                setsp((void *)16, 10);
            case 1:
                mprotect(ro, 65536, PROT_READ);
                setsp(ro + 60000, 10);
            case 2:
                handle(SIGSEGV, k & 1 ? (void *)h : SIG_DFL, k & 1 ? SA_SIGINFO : 0);
                setsp((void *)16, 10);
            case 3:
                handle(SIGSEGV, h, SA_SIGINFO);
                setsp((void *)16, SIGSEGV);
            case 4:
                mprotect(ro, 32768, PROT_NONE);
                setsp(ro + 32768 + 100, 10);
            }
        }
        int s;
        waitpid(p, &s, 0);
        printf("%d: %x\n", k, s & ~0x80);
    }
    return 0;
}
