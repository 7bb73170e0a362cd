/* mmap: arguments, flags, kinds of files, and the order of errors. */
#include "memory.h"
int main(int argc, char **argv) {
    init(argc, argv);
    int f=temporary_file(8*PAGE);
    int ro, wo, ap;
    char n[]="/tmp/mrXXXXXX";
    close(mkstemp(n));
    truncate(n, 8*PAGE);
    ro=open(n, O_RDONLY);
    wo=open(n, O_WRONLY);
    ap=open(n, O_RDWR|O_APPEND);
    int dir=open("/tmp", O_RDONLY), pi[2];
    pipe(pi);
    int nul=open("/dev/null", O_RDWR), zero=open("/dev/zero", O_RDWR), pth=open(n, O_PATH), zr=open("/dev/zero", O_RDONLY);
    char *h=hole(64*PAGE);
#define ANONYMOUS (MAP_PRIVATE | MAP_ANONYMOUS)
    ERROR("len0", MAP(0, 0, 3, ANONYMOUS, -1, 0));
    ERROR("len-1", MAP(0, -1L, 3, ANONYMOUS, -1, 0));
    ERROR("len-4096", MAP(0, -4096L, 3, ANONYMOUS, -1, 0));
    ERROR("lenhuge", MAP(0, 1UL<<(sizeof(long)*8-1), 3, ANONYMOUS|MAP_NORESERVE, -1, 0));
    ERROR("fixed unaligned", MAP(h+1, PAGE, 3, ANONYMOUS|MAP_FIXED, -1, 0));
    PLACE("hint unaligned", MAP(h+5, PAGE, 3, ANONYMOUS, -1, 0));
    PLACE("fixed", MAP(h, 4*PAGE, 3, ANONYMOUS|MAP_FIXED, -1, 0));
    ERROR("noreplace", MAP(h+PAGE, PAGE, 3, ANONYMOUS|MAP_FIXED_NOREPLACE, -1, 0));
    PLACE("noreplace free", MAP(h+8*PAGE, PAGE, 3, ANONYMOUS|MAP_FIXED_NOREPLACE, -1, 0));
    ERROR("noreplace unaligned", MAP(h+8*PAGE+1, PAGE, 3, ANONYMOUS|MAP_FIXED_NOREPLACE, -1, 0));
    ERROR("fixed wrap", MAP(-PAGE, 2*PAGE, 3, ANONYMOUS|MAP_FIXED, -1, 0));
    ERROR("fixed top", MAP(-PAGE, PAGE, 3, ANONYMOUS|MAP_FIXED, -1, 0));
    ERROR("fixed half", MAP(1UL<<(sizeof(long)*8-1), PAGE*0+(-1UL>>1), 3, ANONYMOUS|MAP_FIXED|MAP_NORESERVE, -1, 0));
    ERROR("type0", MAP(0, PAGE, 3, MAP_ANONYMOUS, -1, 0));
    ERROR("type0 file", MAP(0, PAGE, 3, 0, f, 0));
    ERROR("type0 badfd", MAP(0, PAGE, 3, 0, -1, 0));
    ERROR("type3 anon", MAP(0, PAGE, 3, 3|MAP_ANONYMOUS, -1, 0));
    ERROR("type3 file", MAP(0, PAGE, 3, 3, f, 0));
    ERROR("type4 anon", MAP(0, PAGE, 3, 4|MAP_ANONYMOUS, -1, 0));
    ERROR("type4 file", MAP(0, PAGE, 3, 4, f, 0));
    ERROR("type8 anon", MAP(0, PAGE, 3, 8|MAP_ANONYMOUS, -1, 0));
    ERROR("type8 file", MAP(0, PAGE, 3, 8, f, 0));
    ERROR("type8 locked", MAP(0, PAGE, 3, 8|MAP_ANONYMOUS|MAP_LOCKED, -1, 0));
    ERROR("type15", MAP(0, PAGE, 3, 15|MAP_ANONYMOUS, -1, 0));
    for (int b=4;b<32;b++) {
        char t[40];
        sprintf(t, "val bit %d", b);
        if (b!=4&&b!=5)ERROR(t, MAP(0, PAGE, 3, 3|(1u<<b), f, 0));
    }
    for (int b=5;b<32;b++) {
        char t[40];
        sprintf(t, "shared bit %d", b);
        if (b!=5)ERROR(t, MAP(b==20?h+20*PAGE:0, PAGE, 3, 1|(1u<<b), f, 0));
    }
    for (int b=5;b<32;b++) {
        char t[40];
        sprintf(t, "anon bit %d", b);
        ERROR(t, MAP(b==20?h+24*PAGE:0, PAGE, 3, ANONYMOUS|(1u<<b), -1, 0));
    }
    for (int b=5;b<32;b++) {
        char t[40];
        sprintf(t, "sanon bit %d", b);
        ERROR(t, MAP(b==20?h+26*PAGE:0, PAGE, 3, MAP_SHARED|MAP_ANONYMOUS|(1u<<b), -1, 0));
    }
    for (int b=0;b<32;b++) {
        char t[40];
        sprintf(t, "prot bit %d", b);
        ERROR(t, MAP(0, PAGE, (1u<<b), ANONYMOUS, -1, 0));
    }
    ERROR("badfd", MAP(0, PAGE, 3, MAP_SHARED, 999, 0));
    ERROR("badfd len0", MAP(0, 0, 3, MAP_SHARED, 999, 0));
    ERROR("opath", MAP(0, PAGE, 3, MAP_SHARED, pth, 0));
    ERROR("dir", MAP(0, PAGE, 1, MAP_SHARED, dir, 0));
    ERROR("pipe", MAP(0, PAGE, 1, MAP_SHARED, pi[0], 0));
    ERROR("null", MAP(0, PAGE, 1, MAP_SHARED, nul, 0));
    ERROR("zero shared", MAP(0, PAGE, 3, MAP_SHARED, zero, 0));
    ERROR("zero private", MAP(0, PAGE, 3, MAP_PRIVATE, zero, 0));
    ERROR("zero ro shared w", MAP(0, PAGE, 3, MAP_SHARED, zr, 0));
    ERROR("zero ro private w", MAP(0, PAGE, 3, MAP_PRIVATE, zr, 0));
    ERROR("ro shared r", MAP(0, PAGE, 1, MAP_SHARED, ro, 0));
    char *rs=(char*)result;
    ERROR("ro shared w", MAP(0, PAGE, 3, MAP_SHARED, ro, 0));
    ERROR("ro shared W only", MAP(0, PAGE, 2, MAP_SHARED, ro, 0));
    ERROR("ro private w", MAP(0, PAGE, 3, MAP_PRIVATE, ro, 0));
    char *rp=(char*)result;
    WRITE(rp);
    ERROR("wo shared w", MAP(0, PAGE, 2, MAP_SHARED, wo, 0));
    ERROR("wo shared r", MAP(0, PAGE, 1, MAP_SHARED, wo, 0));
    ERROR("wo private", MAP(0, PAGE, 0, MAP_PRIVATE, wo, 0));
    ERROR("ap shared w", MAP(0, PAGE, 3, MAP_SHARED, ap, 0));
    ERROR("mprotect ro shared w", mprotect(rs, PAGE, 3));
    ERROR("mprotect ro shared W", mprotect(rs, PAGE, 2));
    ERROR("mprotect ro shared x", mprotect(rs, PAGE, 5));
    ERROR("mprotect ro shared none", mprotect(rs, PAGE, 0));
    ERROR("mprotect ro shared w again", mprotect(rs, PAGE, 2));
    ERROR("mprotect ro shared r", mprotect(rs, PAGE, 1));
    ERROR("rw shared r", MAP(0, PAGE, 1, MAP_SHARED, f, 0));
    rs=(char*)result;
    ERROR("then w", mprotect(rs, PAGE, 3));
    WRITE(rs);
    char c;
    pread(f, &c, 1, 0);
    printf("in file %d\n", c);
#ifdef __x86_64__
    ERROR("off unaligned", MAP(0, PAGE, 3, MAP_SHARED, f, 1));
    ERROR("off unaligned anon", MAP(0, PAGE, 3, ANONYMOUS, -1, 1));
    ERROR("off unaligned badfd", MAP(0, PAGE, 3, MAP_SHARED, 999, 1));
    ERROR("off -4096", MAP(0, PAGE, 3, MAP_SHARED, f, -4096L));
    ERROR("off 1<<63", MAP(0, PAGE, 3, MAP_SHARED, f, 1L<<63));
    ERROR("off max", MAP(0, PAGE, 3, MAP_SHARED, f, 0x7ffffffffffff000L));
    ERROR("off max 2", MAP(0, 2*PAGE, 3, MAP_SHARED, f, 0x7fffffffffffe000L));
    ERROR("off max 2b", MAP(0, 2*PAGE, 3, MAP_SHARED, f, 0x7fffffffffffd000L));
    ERROR("off big", MAP(0, PAGE, 3, MAP_SHARED, f, 0x7fffffff000L));
    ERROR("off -4096 anon", MAP(0, PAGE, 3, ANONYMOUS, -1, -4096L));
#else
    ERROR("off2 max", syscall(SYS_mmap2, 0, PAGE, 3, MAP_SHARED, f, 0xffffffff));
    ERROR("off2 max2", syscall(SYS_mmap2, 0, 2*PAGE, 3, MAP_SHARED, f, 0xffffffff));
    ERROR("off2 max anon", syscall(SYS_mmap2, 0, 2*PAGE, 3, ANONYMOUS, -1, 0xffffffff));
    ERROR("off2 mid", syscall(SYS_mmap2, 0, 2*PAGE, 3, MAP_SHARED, f, 0x80000000));
    unsigned o[6]={0, PAGE, 3, MAP_SHARED, f, 1};
    ERROR("old unaligned", syscall(SYS_mmap, o));
    o[5]=4096;
    ERROR("old", syscall(SYS_mmap, o));
    o[4]=999;
    o[5]=1;
    ERROR("old unaligned badfd", syscall(SYS_mmap, o));
    ERROR("old fault", syscall(SYS_mmap, 8));
#endif
    ERROR("huge anon", MAP(0, 2<<20, 3, ANONYMOUS|MAP_HUGETLB, -1, 0));
    ERROR("huge anon 1G", MAP(0, 1<<30, 3, ANONYMOUS|MAP_HUGETLB|(30<<26), -1, 0));
    ERROR("huge anon odd", MAP(0, 2<<20, 3, ANONYMOUS|MAP_HUGETLB|(20<<26), -1, 0));
    ERROR("huge anon len0", MAP(0, 0, 3, ANONYMOUS|MAP_HUGETLB, -1, 0));
    ERROR("huge file", MAP(0, 2<<20, 3, MAP_SHARED|MAP_HUGETLB, f, 0));
    ERROR("low 0", MAP(0, PAGE, 3, ANONYMOUS|MAP_FIXED, -1, 0));
    ERROR("low 0x1000", MAP(0x1000, PAGE, 3, ANONYMOUS|MAP_FIXED, -1, 0));
    ERROR("low 0xf000", MAP(0xf000, PAGE, 3, ANONYMOUS|MAP_FIXED, -1, 0));
    result=MAP(0x1000, PAGE, 3, ANONYMOUS, -1, 0);
    printf("low hint %lx\n", result==0x10000?result:result<0x10000);
    result=MAP(0, PAGE, 3, ANONYMOUS|MAP_32BIT, -1, 0);
    printf("32bit %d\n", (word)result>=0x40000000&&(word)result<0x80000000);
#ifdef __x86_64__
    result=MAP(0x100000, PAGE, 3, ANONYMOUS|MAP_32BIT, -1, 0);
    printf("32bit hint %lx\n", result);
    result=MAP(0x7f0000000000, PAGE, 3, ANONYMOUS|MAP_32BIT, -1, 0);
    printf("32bit hint high %d\n", (word)result>=0x40000000&&(word)result<0x80000000);
#endif
    unlink(n);
    return 0;
}
