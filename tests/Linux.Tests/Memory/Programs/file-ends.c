/* Pages behind the end of a mapped file. */
#include "memory.h"
// SIGBUS more
static char *p;
static long hot(volatile int *a, int n) {
    long s=0;
    for (int i=0;i<n;i++)s+=a[i];
    return s;
}
static void hotw(volatile int *a, int n) {
    for (int i=0;i<n;i++)a[i]=i;
}
int main(int argc, char **argv) {
    init(argc, argv);
    int f=temporary_file(4*PAGE);
    p=mmap(0, 8*PAGE, 3, MAP_SHARED, f, 0);
    base=p;
    ACCESS("in", WRITE(p+3*PAGE));
    ACCESS("behind", READ(p+4*PAGE));
    ACCESS("behind w", WRITE(p+5*PAGE));
    ftruncate(f, 6*PAGE);
    ACCESS("grown", WRITE(p+5*PAGE));
    ACCESS("grown4", READ(p+4*PAGE));
    ACCESS("still", READ(p+6*PAGE));
    char c;
    pread(f, &c, 1, 5*PAGE);
    printf("%d\n", c);
    ftruncate(f, PAGE+1);
    ACCESS("tail", READ(p+PAGE+100));
    ACCESS("cut", READ(p+2*PAGE));
    ftruncate(f, 3*PAGE);
    ACCESS("again", READ(p+2*PAGE));
    printf("zero %d %d\n", p[2*PAGE], p[5*PAGE-3*PAGE]);
    pwrite(f, "abc", 3, 5*PAGE);
    ACCESS("by write", READ(p+5*PAGE));
    printf("%c\n", p[5*PAGE]);
    // hot loops
    hotw((int*)p, 6*1024);
    long s=0;
    for (int i=0;i<300;i++)s+=hot((int*)p, 6*1024);
    printf("%ld\n", s);
    ftruncate(f, 2*PAGE);
    ACCESS("hot", hot((int*)p, 6*1024));
    ACCESS("hotw", hotw((int*)p, 6*1024));
    ftruncate(f, 6*PAGE);
    hotw((int*)p, 6*1024);
    printf("%ld\n", hot((int*)p, 6*1024));
    for (int k=0;k<20;k++) {
        ftruncate(f, (k%6)*PAGE);
        ACCESS("k", hot((int*)p, 6*1024));
        ftruncate(f, 6*PAGE);
    }
    // string instructions
    ftruncate(f, 2*PAGE);
    {
        char *d=p+PAGE;
        long n=2*PAGE;
        char *d0=d;
        signal_number=0;
        if (!sigsetjmp(back, 1)) {
            __asm__ volatile("rep stosb":"+D"(d), "+c"(n):"a"(1):"memory");
        }
        printf("stos sig %d off %lx\n", signal_number, (long)((char*)signal_address-base));
    }
    // unaligned crossing, 8 and 16 bytes
    ACCESS("cross4", *(volatile int*)(p+2*PAGE-2)=5);
    ACCESS("cross8", *(volatile long long*)(p+2*PAGE-4)=5);
    printf("untouched %d\n", p[2*PAGE-2]);
    // private mapping
    ftruncate(f, 4*PAGE);
    pwrite(f, "zzzz", 4, 3*PAGE);
    char *q=mmap(0, 6*PAGE, 3, MAP_PRIVATE, f, 0);
    base=q;
    q[3*PAGE]='Q';
    ftruncate(f, 2*PAGE);
    ACCESS("priv cut", READ(q+3*PAGE));
    ftruncate(f, 4*PAGE);
    ACCESS("priv back", READ(q+3*PAGE));
    printf("%d\n", q[3*PAGE]);
    // protection first
    char *r=mmap(0, 6*PAGE, 1, MAP_SHARED, f, 0);
    base=r;
    ACCESS("ro behind w", WRITE(r+5*PAGE));
    ACCESS("ro behind r", READ(r+5*PAGE));
    ACCESS("ro in w", WRITE(r));
    mprotect(r, 6*PAGE, 0);
    ACCESS("none behind", READ(r+5*PAGE));
    mprotect(r, 6*PAGE, 3);
    ACCESS("rw behind", WRITE(r+5*PAGE));
    ACCESS("rw in", WRITE(r+3*PAGE));
    // exec
    pwrite(f, "\xc3", 1, 3*PAGE);
    char *x=mmap(0, 6*PAGE, 5, MAP_SHARED, f, 0);
    base=x;
    ACCESS("exec", ((void(*)(void))(x+3*PAGE))());
    ACCESS("exec behind", ((void(*)(void))(x+4*PAGE))());
    for (int i=0;i<300;i++)((void(*)(void))(x+3*PAGE))();
    ftruncate(f, 3*PAGE);
    ACCESS("exec cut", ((void(*)(void))(x+3*PAGE))());
    ACCESS("nx behind", ((void(*)(void))(r+4*PAGE))());
    ftruncate(f, 4*PAGE);
    pwrite(f, "\xc3", 1, 3*PAGE);
    ACCESS("exec back", ((void(*)(void))(x+3*PAGE))());
    // fork: other process truncates
    base=p;
    ACCESS("pre", READ(p+3*PAGE));
    if (!fork()) {
        ftruncate(f, PAGE);
        _exit(0);
    }
    wait(0);
    ACCESS("child cut", READ(p+3*PAGE));
    if (!fork()) {
        ACCESS("in child", READ(p+3*PAGE));
        ftruncate(f, 4*PAGE);
        ACCESS("in child 2", WRITE(p+3*PAGE));
        _exit(0);
    }
    wait(0);
    ACCESS("child grew", READ(p+3*PAGE));
    printf("%d\n", p[3*PAGE]);
    // O_TRUNC, truncate, fallocate
    char n[]="/tmp/mtXXXXXX";
    int g=mkstemp(n);
    ftruncate(g, 4*PAGE);
    char *t=mmap(0, 4*PAGE, 3, MAP_SHARED, g, 0);
    base=t;
    ACCESS("t0", READ(t+3*PAGE));
    close(open(n, O_RDWR|O_TRUNC));
    ACCESS("o_trunc", READ(t));
    truncate(n, 4*PAGE);
    ACCESS("truncate up", READ(t));
    truncate(n, 100);
    ACCESS("truncate", READ(t+PAGE));
    ACCESS("truncate tail", READ(t+200));
    close(creat(n, 0600));
    ACCESS("creat", READ(t));
    ftruncate(g, 4*PAGE);
    ACCESS("f", READ(t+3*PAGE));
    fallocate(g, FALLOC_FL_PUNCH_HOLE|FALLOC_FL_KEEP_SIZE, 0, 4*PAGE);
    ACCESS("punch", READ(t+3*PAGE));
    ERROR("collapse", fallocate(g, 8, 0, PAGE));
    if (result==0)ACCESS("collapsed", READ(t+3*PAGE));
    ftruncate(g, PAGE);
    ERROR("extend", fallocate(g, 0, 0, 4*PAGE));
    ACCESS("extended", READ(t+3*PAGE));
    unlink(n);
    // offset mapping
    ftruncate(g, 6*PAGE);
    char *o=mmap(0, 4*PAGE, 3, MAP_SHARED, g, 4*PAGE);
    base=o;
    ACCESS("off in", READ(o+PAGE));
    ACCESS("off behind", READ(o+2*PAGE));
    ftruncate(g, PAGE);
    ACCESS("off all", READ(o));
    // mapping entirely beyond, empty file
    int e=temporary_file(0);
    char *em=mmap(0, PAGE, 3, MAP_SHARED, e, 0);
    base=em;
    ACCESS("empty", READ(em));
    pwrite(e, "x", 1, 0);
    ACCESS("empty no more", READ(em));
    printf("%c\n", *em);
    // default action
    if (!fork()) {
        signal(SIGBUS, SIG_DFL);
        ftruncate(e, 0);
        READ(em);
        _exit(1);
    }
    int w;
    wait(&w);
    printf("%x\n", w);
    if (!fork()) {
        signal(SIGBUS, SIG_IGN);
        ftruncate(e, 0);
        READ(em);
        _exit(1);
    }
    wait(&w);
    printf("%x\n", w);
    // thread stack / ESP on the page
    ftruncate(g, 4*PAGE);
    char *st=mmap(0, 4*PAGE, 3, MAP_SHARED, g, 0);
    base=st;
    ftruncate(g, 2*PAGE);
#ifdef __x86_64__
    ACCESS("push", __asm__ volatile("mov %%rsp,%%rbx; mov %0,%%rsp; push %%rax; mov %%rbx,%%rsp"::"r"(st+4*PAGE):"rbx", "memory"));
    ACCESS("call", __asm__ volatile("mov %%rsp,%%rbx; mov %0,%%rsp; call 1f; 1: mov %%rbx,%%rsp"::"r"(st+4*PAGE):"rbx", "memory"));
    ACCESS("movaps", __asm__ volatile("movaps (%0),%%xmm0"::"r"(st+3*PAGE):"xmm0"));
    ACCESS("fxsave", __asm__ volatile("fxsave (%0)"::"r"(st+2*PAGE-256):"memory"));
    ACCESS("fld", __asm__ volatile("fldt (%0)"::"r"(st+2*PAGE-5):"memory"));
#endif
    ACCESS("movs", memcpy(st+2*PAGE-10, st, 100));
    ACCESS("lock", __sync_fetch_and_add((int*)(st+3*PAGE), 1));
    ACCESS("cmpxchg", __sync_bool_compare_and_swap((int*)(st+2*PAGE), 0, 1));
    // io on such pages
    int pp[2];
    pipe(pp);
    write(pp[1], "0123456789", 10);
    VALUE("read none", read(pp[0], st+2*PAGE, 10));
    VALUE("write none", write(pp[1], st+2*PAGE, 10));
    ftruncate(g, 4*PAGE);
    VALUE("write grown", write(pp[1], st+2*PAGE-4, 10));
    ftruncate(g, 2*PAGE);
    struct stat sb;
    VALUE("stat name", syscall(SYS_access, st+2*PAGE, 0));
    strcpy(st+2*PAGE-5, "/tmp");
    VALUE("path at end", syscall(SYS_access, st+2*PAGE-5, 0));
    st[2*PAGE-1]='/';
    VALUE("path over end", syscall(SYS_access, st+2*PAGE-5, 0));
    // mincore, msync, madvise there
    unsigned char v[8];
    VALUE("mincore", mincore(st, 4*PAGE, v));
    printf("%d\n", v[3]);
    VALUE("msync", msync(st, 4*PAGE, MS_SYNC));
    VALUE("pop", madvise(st, 4*PAGE, 22));
    VALUE("dontneed", madvise(st, 4*PAGE, 4));
    VALUE("mlock", mlock(st, 4*PAGE));
    VALUE("MAP_POPULATE", IS_ERROR(MAP(0, 4*PAGE, 3, MAP_SHARED|MAP_POPULATE, g, 0)));
    return 0;
}
