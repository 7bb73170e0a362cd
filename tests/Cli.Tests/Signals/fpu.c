// The floating-point state that a handler finds, that of its frame, and what sigreturn makes of a changed frame.
#include "common.h"
#include <fenv.h>
struct fx
{
    uint16_t cw, sw;
    uint8_t tw, r;
    uint16_t op;
    uint64_t ip, dp;
    uint32_t mx, mm;
    uint8_t st[128];
    uint8_t xm[256];
};
static unsigned rdmx(void)
{
    unsigned m;
    asm volatile("stmxcsr %0" : "=m"(m));
    return m;
}
static void wrmx(unsigned m)
{
    asm volatile("ldmxcsr %0" ::"m"(m));
}
static unsigned short cw(void)
{
    unsigned short c;
    asm volatile("fnstcw %0" : "=m"(c));
    return c;
}
static unsigned short sw(void)
{
    unsigned short c;
    asm volatile("fnstsw %0" : "=m"(c));
    return c;
}
static struct fx in;
static int mode;
static void h(int s, siginfo_t *i, void *u)
{
    static struct fx me __attribute__((aligned(16)));
    asm volatile("fxsave %0" : "=m"(me));
    ucontext_t *c = u;
#ifdef __x86_64__
    struct fx *f = (void *)c->uc_mcontext.fpregs;
#else
    struct fx *f = (void *)((char *)c->uc_mcontext.fpregs + 112);
    uint32_t *o = (void *)c->uc_mcontext.fpregs;
    printf("old %08x %08x %08x cs %x ds %x status %x magic %x\n", o[0], o[1], o[2], o[4], o[6], ((uint16_t *)o)[54], ((uint16_t *)o)[55]);
#endif
    int z = 0;
    for (int k = 0; k < (sizeof(long) == 8 ? 256 : 128); k++)
        z |= me.xm[k];
    int zs = 0;
    for (int k = 0; k < 128; k++)
        zs |= me.st[k];
    printf("handler cw %x sw %x tw %x mx %x xmm0 %d st0 %d\n", me.cw, me.sw, me.tw, me.mx, !z, !zs);
    printf("frame cw %x sw %x tw %x mx %x xmm1 %02x%02x st0 %02x%02x uc_flags %lx aligned %d\n", f->cw, f->sw, f->tw, f->mx, f->xm[16],
        f->xm[17], f->st[8], f->st[9], (long)c->uc_flags & ~1ul, ((long)f & 63) == 0);
    asm volatile("fldpi\nfldz\n");
    wrmx(0x9fc0);
    asm volatile("pcmpeqd %%xmm1,%%xmm1\npcmpeqd %%xmm5,%%xmm5" ::: "memory");
    if (mode == 1)
    {
        f->mx = 0x5f80;
        f->cw = 0x0f7f;
        memset(f->xm + 32, 0xab, 16);
#ifndef __x86_64__
        o[0] = 0xffff0e7f;
#endif
    }
    if (mode == 2)
    {
        c->uc_mcontext.fpregs = 0;
    }
}
int main()
{
    handle(SIGUSR1, h, SA_SIGINFO);
    for (mode = 0; mode < 3; mode++)
    {
        static unsigned char p[16] = {0x11, 0x22};
        asm volatile("fninit\nfld1\nfldl2e\nmovups %0,%%xmm1\nmovups %0,%%xmm2" ::"m"(p) : "memory");
        unsigned short w = 0xc7f;
        asm volatile("fldcw %0" ::"m"(w));
        wrmx(0x3fa1);
        asm volatile("" ::: "memory");
#ifdef __x86_64__
        long r;
        asm volatile("syscall" : "=a"(r) : "a"(62), "D"(getpid()), "S"(10) : "rcx", "r11", "memory");
#else
        asm volatile("int $0x80" ::"a"(37), "b"(getpid()), "c"(10) : "memory");
#endif
        unsigned char q[16], q2[16];
        asm volatile("movups %%xmm1,%0\nmovups %%xmm2,%1" : "=m"(q), "=m"(q2));
        unsigned m = rdmx();
        unsigned short c1 = cw(), s1 = sw();
        wrmx(0x1f80);
        printf("after mode %d mx %x cw %x sw %x xmm1 %02x%02x xmm2 %02x\n", mode, m, c1, s1, q[0], q[1], q2[0]);
        if (mode == 0)
        {
            double d;
            asm volatile("fstpl %0" : "=m"(d));
            printf("st0 %f\n", d);
        }
        asm volatile("fninit");
    }
    return 0;
}
