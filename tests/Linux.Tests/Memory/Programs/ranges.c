/* munmap, msync, mincore, madvise. */
#include "memory.h"
int main(int argc, char **argv) {
    init(argc, argv);
    char *p=hole(64);
    int f=temporary_file(8*PAGE);
    mmap(p, 4*PAGE, 3, MAP_PRIVATE | MAP_ANONYMOUS|MAP_FIXED, -1, 0);
    mmap(p+6*PAGE, 2*PAGE, 3, MAP_SHARED|MAP_FIXED, f, 0);
    mmap(p+8*PAGE, PAGE, 1, MAP_SHARED|MAP_FIXED, f, 0);
    mmap(p+9*PAGE, PAGE, 0, MAP_PRIVATE | MAP_ANONYMOUS|MAP_FIXED, -1, 0);
    // munmap
    ERROR("mu unaligned", munmap(p+20*PAGE+1, PAGE));
    ERROR("mu 0", munmap(p+20*PAGE, 0));
    ERROR("mu wrap", munmap(p, -PAGE));
    ERROR("mu wrap2", munmap(p, -1L));
    ERROR("mu hole", munmap(p+20*PAGE, PAGE));
    ERROR("mu top", munmap((void*)-PAGE, PAGE));
    ERROR("mu len", munmap(p+20*PAGE, 1));
    // msync
    for (int fl=0;fl<10;fl++) {
        char t[40];
        sprintf(t, "ms flags %d", fl);
        ERROR(t, msync(p, PAGE, fl));
        sprintf(t, "ms file %d", fl);
        ERROR(t, msync(p+6*PAGE, 2*PAGE, fl));
        sprintf(t, "ms hole %d", fl);
        ERROR(t, msync(p, 8*PAGE, fl));
        sprintf(t, "ms hole only %d", fl);
        ERROR(t, msync(p+20*PAGE, PAGE, fl));
    }
    ERROR("ms unal", msync(p+1, PAGE, 4));
    ERROR("ms unal flags", msync(p+1, PAGE, 16));
    ERROR("ms 0", msync(p, 0, 4));
    ERROR("ms 0 hole", msync(p+20*PAGE, 0, 4));
    ERROR("ms wrap", msync(p, -PAGE, 4));
    ERROR("ms wrap1", msync(p, -1L, 4));
    ERROR("ms 5 hole", msync(p+20*PAGE, PAGE, 5));
    ERROR("ms end hole", msync(p+3*PAGE, 2*PAGE, 4));
    ERROR("ms end hole async", msync(p+3*PAGE, 2*PAGE, 1));
    ERROR("ms inval hole", msync(p, 8*PAGE, 3));
    // mlock + MS_INVALIDATE
    VALUE("mlock", mlock(p, PAGE));
    ERROR("ms busy", msync(p, 2*PAGE, MS_INVALIDATE));
    ERROR("ms busy2", msync(p+PAGE, PAGE, MS_INVALIDATE));
    ERROR("ms busy sync", msync(p, PAGE, MS_INVALIDATE|MS_SYNC));
    munlock(p, PAGE);
    ERROR("ms notbusy", msync(p, PAGE, MS_INVALIDATE));
    // mincore
    unsigned char v[64];
    memset(v, 7, 64);
    ERROR("mc", mincore(p, 4*PAGE, v));
    printf("%d %d %d %d\n", v[0], v[1], v[2], v[3]);
    p[PAGE]=1;
    ERROR("mc", mincore(p, 4*PAGE, v));
    printf("%d %d %d %d %d\n", v[0], v[1], v[2], v[3], v[4]);
    ERROR("mc unal", mincore(p+1, PAGE, v));
    ERROR("mc 0", mincore(p, 0, v));
    ERROR("mc 0 badvec", mincore(p, 0, (void*)8));
    ERROR("mc hole", mincore(p, 6*PAGE, v));
    ERROR("mc hole first", mincore(p+20*PAGE, PAGE, v));
    ERROR("mc bad vec", mincore(p, PAGE, (void*)8));
    ERROR("mc badvec hole", mincore(p+20*PAGE, PAGE, (void*)8));
    ERROR("mc badvec kern", mincore(p+20*PAGE, PAGE, (void*)-8L));
    ERROR("mc wrap", mincore(p, -PAGE, v));
    ERROR("mc wrap1", mincore(p, -1L, v));
    ERROR("mc len", mincore(p, PAGE+1, v));
    ERROR("mc big", mincore((void*)0, 1UL<<(sizeof(long)*8-1), v));
    ERROR("mc top", mincore((void*)-PAGE, PAGE, v));
    p[6*PAGE]=1;
    ERROR("mc file", mincore(p+6*PAGE, 3*PAGE, v));
    printf("%d %d %d\n", v[0], v[1]&1, v[2]);
    ERROR("mc none", mincore(p+9*PAGE, PAGE, v));
    printf("%d\n", v[0]);
    char *big=mmap(0, 5000*PAGE, 3, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    unsigned char *bv=mmap(0, 3*PAGE, 3, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    big[4999*PAGE]=1;
    big[0]=1;
    ERROR("mc 5000", mincore(big, 5000*PAGE, bv));
    int s=0;
    for (int i=0;i<5000;i++)s+=bv[i];
    printf("%d %d %d\n", s, bv[0], bv[4999]);
    munmap(bv+PAGE, PAGE);
    memset(bv, 9, PAGE);
    ERROR("mc vec end", mincore(big, 5000*PAGE, bv));
    printf("%d %d\n", bv[0], bv[4095]);
    munmap(big+4500*PAGE, PAGE);
    ERROR("mc partly", mincore(big, 4600*PAGE, bv));
    // madvise
    for (int a=-2;a<30;a++) {
        if (a==12||a==13||a==25)continue;
        char t[40];
        sprintf(t, "ma %d", a);
        ERROR(t, madvise(p, 4*PAGE, a));
        sprintf(t, "ma file %d", a);
        ERROR(t, madvise(p+6*PAGE, 2*PAGE, a));
        sprintf(t, "ma hole %d", a);
        ERROR(t, madvise(p, 8*PAGE, a));
        sprintf(t, "ma len0 %d", a);
        ERROR(t, madvise(p, 0, a));
        sprintf(t, "ma unal %d", a);
        ERROR(t, madvise(p+1, PAGE, a));
        if (sizeof(long)==8) {
            sprintf(t, "ma wrap %d", a);
            ERROR(t, madvise(p, -PAGE, a));
            sprintf(t, "ma wrap1 %d", a);
            ERROR(t, madvise(p, -1L, a));
        }
        sprintf(t, "ma none %d", a);
        ERROR(t, madvise(p+9*PAGE, PAGE, a));
        sprintf(t, "ma rosh %d", a);
        ERROR(t, madvise(p+8*PAGE, PAGE, a));
        mlock(p, PAGE);
        sprintf(t, "ma locked %d", a);
        ERROR(t, madvise(p, PAGE, a));
        munlock(p, PAGE);
    }
    madvise(p, 4*PAGE, MADV_DOFORK);
    madvise(p, 4*PAGE, MADV_KEEPONFORK);
    madvise(p+6*PAGE, 2*PAGE, MADV_DOFORK);
    madvise(p+9*PAGE, PAGE, MADV_DOFORK);
    madvise(p+8*PAGE, PAGE, MADV_DOFORK);
    ERROR("ma 103", madvise(p, PAGE, 104));
    ERROR("ma big", madvise(p, PAGE, 1000));
    p[0]=5;
    p[PAGE]=6;
    madvise(p, PAGE, MADV_DONTNEED);
    printf("dn %d %d\n", p[0], p[PAGE]);
    int g=temporary_file(4*PAGE);
    pwrite(g, "abc", 3, 0);
    char *q=mmap(0, 4*PAGE, 3, MAP_PRIVATE, g, 0);
    q[0]='X';
    madvise(q, PAGE, MADV_DONTNEED);
    printf("dn file %c\n", q[0]);
    char *r=mmap(0, 4*PAGE, 3, MAP_SHARED, g, 0);
    r[0]='Y';
    madvise(r, PAGE, MADV_DONTNEED);
    printf("dn shared %c\n", r[0]);
    ERROR("remove", madvise(r, PAGE, MADV_REMOVE));
    printf("removed %d\n", r[0]);
    char *sa=mmap(0, 4*PAGE, 3, MAP_SHARED|MAP_ANONYMOUS, -1, 0);
    sa[0]=1;
    madvise(sa, PAGE, MADV_DONTNEED);
    printf("dn sanon %d\n", sa[0]);
    ERROR("rm sanon", madvise(sa, PAGE, MADV_REMOVE));
    printf("%d\n", sa[0]);
    ERROR("rm private", madvise(p, PAGE, MADV_REMOVE));
    ERROR("rm fprivate", madvise(q, PAGE, MADV_REMOVE));
    ERROR("pop r", madvise(p+2*PAGE, 2*PAGE, 22));
    mincore(p, 4*PAGE, v);
    printf("%d%d\n", v[2], v[3]);
    ERROR("free", madvise(p, PAGE, 8));
    ERROR("free file", madvise(q, PAGE, 8));
    // fork advice
    strcpy(p, "par");
    strcpy(p+PAGE, "wipe");
    strcpy(p+2*PAGE, "dont");
    ERROR("dontfork", madvise(p+2*PAGE, PAGE, MADV_DONTFORK));
    ERROR("wipe", madvise(p+PAGE, PAGE, MADV_WIPEONFORK));
    ERROR("wipe shared", madvise(sa, PAGE, MADV_WIPEONFORK));
    ERROR("wipe file", madvise(q, PAGE, MADV_WIPEONFORK));
    if (!fork()) {
        printf("child %s '%s'\n", p, p+PAGE);
        base=p;
        ACCESS("dontfork", READ(p+2*PAGE));
        if (!fork()) {
            printf("gc '%s'\n", p+PAGE);
            strcpy(p+PAGE, "x");
            _exit(0);
        }
        wait(0);
        _exit(0);
    }
    wait(0);
    printf("parent %s %s %s\n", p, p+PAGE, p+2*PAGE);
    return 0;
}
