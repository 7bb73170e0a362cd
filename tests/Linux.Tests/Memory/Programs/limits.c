/* brk, RLIMIT_DATA, RLIMIT_AS, RLIMIT_STACK, areas that grow down. */
#include "memory.h"
// limits, brk, growsdown
int main(int argc, char **argv) {
    init(argc, argv);
#ifdef __x86_64__
#define BRK(x) (char*)syscall(SYS_brk,x)
#else
#define BRK(x) (char*)syscall(SYS_brk,x)
#endif
    char *b0=BRK(0);
    b0=(char*)(((word)b0+4095)&~4095);
    BRK(b0);
    base=b0;
#define BREAK(n,x) do{char *r=BRK(x);printf("%s: %lx\n",n,(long)(r-b0));}while(0)
    BREAK("cur", 0);
    BREAK("grow", b0+5*PAGE+5);
    ACCESS("wr", WRITE(b0+5*PAGE));
    ACCESS("beyond", READ(b0+6*PAGE));
    BREAK("same page", b0+5*PAGE+100);
    BREAK("shrink", b0+2*PAGE+1);
    ACCESS("cut", READ(b0+3*PAGE));
    ACCESS("kept", READ(b0+2*PAGE));
    BREAK("below", (char*)0x1000);
    BREAK("huge", (char*)-PAGE);
    char *m=mmap(b0+10*PAGE, PAGE, 3, MAP_PRIVATE | MAP_ANONYMOUS|MAP_FIXED_NOREPLACE, -1, 0);
    BREAK("into", b0+11*PAGE);
    BREAK("touching", b0+10*PAGE);
    BREAK("guard", b0+9*PAGE);
    BREAK("guard1", b0+9*PAGE+1);
    munmap(m, PAGE);
    BREAK("now", b0+12*PAGE);
    BREAK("back", b0);
    ERROR("map over brk", MAP(b0-PAGE*0, PAGE, 3, MAP_PRIVATE | MAP_ANONYMOUS|MAP_FIXED, -1, 0));
    BREAK("grow over", b0+3*PAGE);
    munmap(b0, PAGE);
    BREAK("after", b0+3*PAGE);
    munmap(b0+PAGE, PAGE);
    BREAK("hole shrink", b0);
    // RLIMIT_DATA
    struct rlimit rl, old;
    getrlimit(RLIMIT_DATA, &old);
    rl=old;
    rl.rlim_cur=8<<20;
    setrlimit(RLIMIT_DATA, &rl);
    ERROR("data big", MAP(0, 16<<20, 3, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    ERROR("data ro", MAP(0, 16<<20, 1, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    char *r=(char*)result;
    ERROR("data mprotect", mprotect(r, 16<<20, 3));
    ERROR("data part", mprotect(r, 1<<20, 3));
    ERROR("data shared", MAP(0, 16<<20, 3, MAP_SHARED|MAP_ANONYMOUS, -1, 0));
    ERROR("data small", MAP(0, 2<<20, 3, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    char *q=(char*)result;
    ERROR("data mremap", syscall(SYS_mremap, q, 2<<20, 16<<20, 1, 0));
    ERROR("data growsdown", MAP(0, 16<<20, 3, MAP_PRIVATE | MAP_ANONYMOUS|MAP_GROWSDOWN, -1, 0));
    BREAK("data brk", b0+(12<<20));
    setrlimit(RLIMIT_DATA, &old);
    // RLIMIT_AS
    getrlimit(RLIMIT_AS, &old);
    rl=old;
    rl.rlim_cur=200<<20;
    setrlimit(RLIMIT_AS, &rl);
    ERROR("as big", MAP(0, 256<<20, 0, MAP_PRIVATE | MAP_ANONYMOUS|MAP_NORESERVE, -1, 0));
    ERROR("as ok", MAP(0, 64<<20, 0, MAP_PRIVATE | MAP_ANONYMOUS|MAP_NORESERVE, -1, 0));
    q=(char*)result;
    ERROR("as fixed over", MAP(q, 64<<20, 1, MAP_PRIVATE | MAP_ANONYMOUS|MAP_FIXED, -1, 0));
    ERROR("as mremap", syscall(SYS_mremap, q, 64<<20, 220<<20, 1, 0));
    BREAK("as brk", b0+(250<<20));
    ERROR("as mremap du", syscall(SYS_mremap, q, 64<<20, 64<<20, 5, 0));
    ERROR("as mremap du2", syscall(SYS_mremap, q, 64<<20, 64<<20, 5, 0));
    setrlimit(RLIMIT_AS, &old);
    // growsdown
    char *h=hole(1024);
    q=mmap(h+600*PAGE, 2*PAGE, 3, MAP_PRIVATE | MAP_ANONYMOUS|MAP_GROWSDOWN|MAP_FIXED, -1, 0);
    base=q;
    ACCESS("gd wr", WRITE(q-PAGE));
    ACCESS("gd far", WRITE(q-300*PAGE));
    maps(q-600*PAGE, q+4*PAGE);
    printf("%d\n", q[-PAGE]);
    ACCESS("gd read below", READ(q-310*PAGE));
    int pp[2];
    pipe(pp);
    write(pp[1], "x", 1);
    errno=0;
    VALUE("gd syscall", read(pp[0], q-320*PAGE, 1));
    maps(q-600*PAGE, q+4*PAGE);
    mmap(q-500*PAGE, PAGE, 3, MAP_PRIVATE | MAP_ANONYMOUS|MAP_FIXED, -1, 0);
    ACCESS("gd gap", WRITE(q-400*PAGE));
    ACCESS("gd gap in", WRITE(q-330*PAGE));
    mprotect(q-500*PAGE, PAGE, 0);
    ACCESS("gd gap none", WRITE(q-400*PAGE));
    maps(q-600*PAGE, q+4*PAGE);
    ERROR("gd mprotect", mprotect(q+PAGE, PAGE, 1|PROT_GROWSDOWN));
    maps(q-600*PAGE, q+4*PAGE);
    ERROR("gd growsup", mprotect(q+PAGE, PAGE, 1|PROT_GROWSUP));
    ERROR("gd file", MAP(0, PAGE, 3, MAP_PRIVATE|MAP_GROWSDOWN, temporary_file(PAGE), 0));
    ERROR("gd shared", MAP(0, PAGE, 3, MAP_SHARED|MAP_ANONYMOUS|MAP_GROWSDOWN, -1, 0));
    getrlimit(RLIMIT_STACK, &old);
    h=hole(1024);
    q=mmap(h+900*PAGE, 2*PAGE, 3, MAP_PRIVATE | MAP_ANONYMOUS|MAP_GROWSDOWN|MAP_FIXED, -1, 0);
    base=q;
    rl=old;
    rl.rlim_cur=100*PAGE;
    setrlimit(RLIMIT_STACK, &rl);
    ACCESS("gd limit", WRITE(q-99*PAGE));
    ACCESS("gd limit ok", WRITE(q-98*PAGE));
    setrlimit(RLIMIT_STACK, &old);
    ACCESS("gd limit more", WRITE(q-99*PAGE));
    PLACE("hint in gap", MAP(q-100*PAGE, PAGE, 3, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)==(long)(q-100*PAGE)?0+(long)base:base+1);
    PLACE("fixed in gap", MAP(q-100*PAGE, PAGE, 3, MAP_PRIVATE | MAP_ANONYMOUS|MAP_FIXED, -1, 0));
    // stack limit
    return 0;
}
