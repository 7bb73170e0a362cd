/* mlock and its like, with a limit of 64 KiB. */
#include "memory.h"
static long locked(void) {
    FILE*f=fopen("/proc/self/status", "r");
    char l[200];
    long r=-1;
    while(fgets(l, 200, f))if(!strncmp(l, "VmLck:", 6))r=atol(l+6);
    fclose(f);
    return r;
}
int main(int argc, char **argv) {
    init(argc, argv);
    char *p=hole(64);
    mmap(p, 8*PAGE, 3, MAP_PRIVATE | MAP_ANONYMOUS|MAP_FIXED, -1, 0);
    mmap(p+8*PAGE, PAGE, 0, MAP_PRIVATE | MAP_ANONYMOUS|MAP_FIXED, -1, 0);
    unsigned char v[16];
    struct rlimit rl={64*1024, 64*1024};
    setrlimit(RLIMIT_MEMLOCK, &rl);
    if (getuid()==0&&getenv("DROP"))setuid(65534);
    VALUE("lock", mlock(p, PAGE));
    printf("%ld\n", locked());
    mincore(p, 2*PAGE, v);
    printf("%d%d\n", v[0], v[1]);
    VALUE("lock unal", mlock(p+PAGE+5, 1));
    printf("%ld\n", locked());
    VALUE("lock cross", mlock(p+3*PAGE-1, 2));
    printf("%ld\n", locked());
    VALUE("lock 0", mlock(p, 0));
    VALUE("lock 0 hole", mlock(p+20*PAGE, 0));
    VALUE("lock hole", mlock(p+7*PAGE, 4*PAGE));
    printf("%ld\n", locked());
    VALUE("lock hole2", mlock(p+20*PAGE, PAGE));
    VALUE("lock none", mlock(p+8*PAGE, PAGE));
    printf("%ld\n", locked());
    VALUE("wrap", mlock(p, -PAGE));
    VALUE("wrap1", mlock(p, -1L));
    VALUE("wrap2", mlock((void*)-PAGE, 2*PAGE));
    VALUE("lock2 0", syscall(SYS_mlock2, p, PAGE, 0));
    VALUE("lock2 1", syscall(SYS_mlock2, p+5*PAGE, PAGE, 1));
    mincore(p+5*PAGE, PAGE, v);
    printf("%d\n", v[0]);
    VALUE("lock2 2", syscall(SYS_mlock2, p, PAGE, 2));
    printf("%ld\n", locked());
    VALUE("unlock", munlock(p, PAGE));
    printf("%ld\n", locked());
    VALUE("unlock hole", munlock(p, 20*PAGE));
    printf("%ld\n", locked());
    VALUE("unlock wrap", munlock(p, -PAGE));
    VALUE("unlock 0", munlock(p+20*PAGE, 0));
    char *q=mmap(0, 100*PAGE, 3, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    VALUE("over", mlock(q, 100*PAGE));
    printf("%ld\n", locked());
    VALUE("just", mlock(q, 16*PAGE));
    printf("%ld\n", locked());
    VALUE("again", mlock(q, 16*PAGE));
    VALUE("one more", mlock(q+16*PAGE, PAGE));
    munlock(q, 100*PAGE);
    ERROR("MAP_LOCKED", MAP(0, 8*PAGE, 3, MAP_PRIVATE | MAP_ANONYMOUS|MAP_LOCKED, -1, 0));
    printf("%ld\n", locked());
    char *r=(char*)result;
    if (!IS_ERROR(r)) {
        mincore(r, PAGE, v);
        printf("%d\n", v[0]);
    }
    ERROR("MAP_LOCKED over", MAP(0, 80*PAGE, 3, MAP_PRIVATE | MAP_ANONYMOUS|MAP_LOCKED, -1, 0));
    printf("%ld\n", locked());
    if (!IS_ERROR(r)) {
        munmap(r, 4*PAGE);
        printf("%ld\n", locked());
        char *t=mremap(r+4*PAGE, 4*PAGE, 6*PAGE, 1);
        printf("%ld\n", locked());
        if (geteuid())ERROR("mremap over", mremap(t, 6*PAGE, 100*PAGE, 1));
        VALUE("dn", madvise(t, PAGE, 4));
        VALUE("dnl", madvise(t, PAGE, 24));
        munlockall();
        printf("%ld\n", locked());
    }
    VALUE("all 0", mlockall(0));
    VALUE("all 4", mlockall(4));
    VALUE("all 8", mlockall(8));
    VALUE("all 9", mlockall(9));
    VALUE("all fut", mlockall(2));
    printf("%ld\n", locked());
    ERROR("m after fut", MAP(0, 4*PAGE, 3, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    printf("%ld\n", locked());
    ERROR("m after fut over", MAP(0, 80*PAGE, 3, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    if (!fork()) {
        printf("child %ld\n", locked());
        char *z=mmap(0, PAGE, 3, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        printf("child %ld\n", locked());
        _exit(0);
    }
    wait(0);
    VALUE("unall", munlockall());
    printf("%ld\n", locked());
    rl.rlim_cur=0;
    setrlimit(RLIMIT_MEMLOCK, &rl);
    VALUE("lim0", mlock(p, PAGE));
    VALUE("lim0 len0", mlock(p, 0));
    VALUE("lim0 all", mlockall(2));
    ERROR("lim0 MAP_LOCKED", MAP(0, PAGE, 3, MAP_PRIVATE | MAP_ANONYMOUS|MAP_LOCKED, -1, 0));
    VALUE("lim0 unlock", munlock(p, PAGE));
    VALUE("lim0 lock2", syscall(SYS_mlock2, p, PAGE, 1));
    return 0;
}
