/* mprotect, and what each protection allows. */
#include "memory.h"
// protections and mprotect
int main(int argc, char **argv) {
    init(argc, argv);
    char *p=anon(16*PAGE);
    int f=temporary_file(4*PAGE);
    for (int pr=0;pr<8;pr++) {
        char t[32];
        char *q=mmap(0, PAGE, pr, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        base=q;
        char ps[16];
        sprintf(t, "rd prot %d", pr);
        ACCESS(t, READ(q));
        sprintf(t, "wr prot %d", pr);
        ACCESS(t, WRITE(q));
        mprotect(q, PAGE, 3);
        *q=0xc3;
        mprotect(q, PAGE, pr);
        sprintf(t, "ex prot %d", pr);
        ACCESS(t, ((void(*)(void))q)());
        sprintf(t, "rd2 prot %d", pr);
        ACCESS(t, READ(q));
        maps(q, q+PAGE);
        int pp[2];
        pipe(pp);
        errno=0;
        int r=write(pp[1], q, 1);
        printf("write() %d %d\n", r, errno);
        write(pp[1], "x", 1);
        errno=0;
        r=read(pp[0], q, 1);
        printf("read() %d %d\n", r, errno);
        munmap(q, PAGE);
    }
    base=p;
    ERROR("unaligned", mprotect(p+1, PAGE, 1));
    ERROR("len0", mprotect(p, 0, 1));
    ERROR("len0 unmapped", mprotect((void*)0x1000, 0, 1));
    ERROR("unaligned len0", mprotect(p+1, 0, 1));
#ifdef __x86_64__
    ERROR("wrap", mprotect(p, -PAGE, 1));
    ERROR("wrap2", mprotect(p, -1L, 1));
#endif
    ERROR("badprot", mprotect(p, PAGE, 0x10));
    ERROR("badprot 40", mprotect(p, PAGE, 0x40));
    ERROR("sem", mprotect(p, PAGE, 8|3));
    ERROR("badprot hole", mprotect((void*)0x1000, PAGE, 0x10));
    ERROR("badprot len0", mprotect(p, 0, 0x10));
    ERROR("growsdown anon", mprotect(p, PAGE, 1|PROT_GROWSDOWN));
    ERROR("growsup", mprotect(p, PAGE, 1|PROT_GROWSUP));
    ERROR("both", mprotect(p, PAGE, 1|PROT_GROWSUP|PROT_GROWSDOWN));
    ERROR("both unaligned", mprotect(p+1, PAGE, 1|PROT_GROWSUP|PROT_GROWSDOWN));
    ERROR("growsdown hole", mprotect((void*)0x1000, PAGE, 1|PROT_GROWSDOWN));
    ERROR("growsup hole", mprotect((void*)0x1000, PAGE, 1|PROT_GROWSUP));
    char st[1];
    char *s=(char*)((word)st&~4095);
    ERROR("growsdown stack", mprotect(s, PAGE, 3|PROT_GROWSDOWN));
    ERROR("growsup stack", mprotect(s, PAGE, 3|PROT_GROWSUP));
    munmap(p+4*PAGE, PAGE);
    ERROR("over hole", mprotect(p, 8*PAGE, 1));
    maps(p, p+16*PAGE);
    ACCESS("w0", WRITE(p));
    ACCESS("w5", WRITE(p+5*PAGE));
    ERROR("start in hole", mprotect(p+4*PAGE, 2*PAGE, 1));
    // EACCES midway
    char *q=hole(8*PAGE);
    mmap(q, 2*PAGE, 3, MAP_PRIVATE | MAP_ANONYMOUS|MAP_FIXED, -1, 0);
    char n[]="/tmp/mqXXXXXX";
    close(mkstemp(n));
    truncate(n, 8*PAGE);
    int ro=open(n, O_RDONLY);
    unlink(n);
    mmap(q+2*PAGE, 2*PAGE, 1, MAP_SHARED|MAP_FIXED, ro, 0);
    mmap(q+4*PAGE, 2*PAGE, 1, MAP_PRIVATE | MAP_ANONYMOUS|MAP_FIXED, -1, 0);
    ERROR("midway", mprotect(q, 6*PAGE, 7));
    maps(q, q+8*PAGE);
    ERROR("exec ro", mprotect(q+2*PAGE, PAGE, 5));
    maps(q, q+8*PAGE);
    ERROR("none", mprotect(q, 6*PAGE, 0));
    maps(q, q+8*PAGE);
    ACCESS("r", READ(q));
    ACCESS("r2", READ(q+2*PAGE));
    ACCESS("r3 hole", READ(q+6*PAGE));
    // change of code
    unsigned char *c=mmap(0, PAGE, 7, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    base=(char*)c;
    memcpy(c, "\xb8\x01\0\0\0\xc3", 6);
    for (int i=0;i<3;i++) {
        c[1]=i+1;
        printf("code %d\n", ((int(*)(void))c)());
    }
    mprotect(c, PAGE, 3);
    ACCESS("nx", ((int(*)(void))c)());
    mprotect(c, PAGE, 5);
    printf("code %d\n", ((int(*)(void))c)());
    ACCESS("ro", WRITE(c));
    mprotect(c, PAGE, 0);
    ACCESS("none", ((int(*)(void))c)());
    return 0;
}
