/*
 * Code that is written by another way than it is executed: mappings of one file twice, system calls, other processes. Each part prints how
 * often what was called was not what had been written. Arguments: the file for the output, the number of functions, calls of each.
 */
#include "memory.h"
#include <pthread.h>
#include <sched.h>
#include <sys/sendfile.h>
#include <sys/uio.h>

#define READ_WRITE (PROT_READ | PROT_WRITE)
#define READ_EXECUTE (PROT_READ | PROT_EXEC)

static int calls;
static int wrong;

// mov eax, value; ret. The value is 4 bytes from the second on.
static void put(char *at, int value)
{
    at[0] = (char)0xB8;
    memcpy(at + 1, &value, 4);
    at[5] = (char)0xC3;
}

static int call(const char *at)
{
    int result;

    // Zeros are add [rax], al.
    __asm__ volatile("call *%1" : "=a"(result) : "r"(at), "0"(base) : "memory", "cc", "rcx", "rdx");
    return result;
}

static void expect(const char *at, int value)
{
    for (int i = 0; i < calls; i++)
        if (call(at) != value)
            wrong++;
}

static void report(const char *name)
{
    printf("%s: %d\n", name, wrong);
    wrong = 0;
}

static char *map(int fd, int protection, int flags, long length)
{
    char *at = mmap(0, length, protection, flags, fd, 0);
    if (at == MAP_FAILED)
        exit(101);
    return at;
}

// Functions written whole, and then in part, by one mapping and called by the other.
static void functions(const char *name, int fd, int count)
{
    long length = (count * 40L + PAGE) & -PAGE;
    if (ftruncate(fd, length) != 0)
        exit(102);
    char *writable = map(fd, READ_WRITE, MAP_SHARED, length), *code = map(fd, READ_EXECUTE, MAP_SHARED, length);
    for (int round = 0; round < 4; round++) {
        for (int i = 0; i < count; i++)
            put(writable + i * 40, round * count + i);
        for (int i = 0; i < count; i++)
            expect(code + i * 40, round * count + i);
    }
    for (int round = 0; round < 3; round++)
        for (int i = 0; i < count; i++) {
            writable[i * 40 + 2] = round;
            int value;
            memcpy(&value, writable + i * 40 + 1, 4);
            expect(code + i * 40, value);
        }
    munmap(writable, length);
    munmap(code, length);
    report(name);
}

// Each way to write to a file that is mapped, shared and private.
static void system_calls(void)
{
    char page[PAGE], other[] = "/tmp/aliases-XXXXXX";
    int fd = temporary_file(4 * PAGE), from = mkstemp(other), pipes[2];
    unlink(other);
    char *code = map(fd, READ_EXECUTE, MAP_SHARED, 4 * PAGE), *copy = map(fd, READ_EXECUTE, MAP_PRIVATE, 4 * PAGE);
    char *writable = map(fd, READ_WRITE, MAP_SHARED, 4 * PAGE);
    if (pipe(pipes) != 0)
        exit(103);
    for (int round = 0; round < 5; round++) {
        for (int way = 0; way < 11; way++) {
            int value = round * 100 + way, at = way * 64;
            char bytes[6];
            put(bytes, value);
            struct iovec vector = { bytes, 6 }, target = { writable + at, 6 };
            loff_t here = at, there = 0;
            long done = -1;
            lseek(fd, at, SEEK_SET);
            pwrite(from, bytes, 6, 0);
            lseek(from, 0, SEEK_SET);
            switch (way) {
                case 0: done = pwrite(fd, bytes, 6, at); break;
                case 1: done = write(fd, bytes, 6); break;
                case 2: done = writev(fd, &vector, 1); break;
                case 3: done = pwritev(fd, &vector, 1, at); break;
                case 4: done = copy_file_range(from, 0, fd, 0, 6, 0); if (done < 0) done = pwrite(fd, bytes, 6, at); break;
                case 5: done = sendfile(fd, from, 0, 6); break;
                case 6: write(pipes[1], bytes, 6); done = splice(pipes[0], 0, fd, &here, 6, 0); break;
                case 7: done = read(from, writable + at, 6); break;
                case 8: done = readv(from, &target, 1); break;
                case 9: done = process_vm_writev(getpid(), &vector, 1, &target, 1, 0); break;
                case 10: memcpy(writable + at, bytes, 6); done = 6; break;
            }
            if (done != 6)
                printf("way %d: %ld\n", way, done);
            expect(code + at, value);
            expect(copy + at, value);
        }
    }
    report("system calls");

    // The second page becomes zeros, which lead into the third.
    put(writable + PAGE, 5);
    put(writable + 2 * PAGE, 6);
    expect(code + PAGE, 5);
    expect(copy + PAGE, 5);
    if (fallocate(fd, 3, PAGE, PAGE) != 0)
        memset(writable + PAGE, 0, PAGE);
    expect(code + PAGE, 6);
    expect(copy + PAGE, 6);
    put(writable + PAGE, 7);
    expect(code + PAGE, 7);
    expect(copy + PAGE, 7);
    if (madvise(writable + PAGE, PAGE, MADV_REMOVE) != 0)
        memset(writable + PAGE, 0, PAGE);
    expect(code + PAGE, 6);
    expect(copy + PAGE, 6);
    report("holes");

    // So does the rest of it.
    for (int round = 0; round < 3; round++) {
        put(writable + PAGE + 2048, 8);
        put(writable + 2 * PAGE, 9);
        expect(code + PAGE + 2048, 8);
        expect(code + 2 * PAGE, 9);
        ftruncate(fd, PAGE + 2048);
        ftruncate(fd, 4 * PAGE);
        put(writable + 2 * PAGE, 10 + round);
        expect(code + PAGE + 2048, 10 + round);
        expect(code + 2 * PAGE, 10 + round);
        expect(copy + 2 * PAGE, 10 + round);
    }
    report("truncation");

    // A private page that was written to is no file's any more.
    mprotect(copy, PAGE, READ_WRITE | PROT_EXEC);
    put(copy, 20);
    expect(copy, 20);
    put(writable, 21);
    expect(copy, 20);
    expect(code, 21);
    put(copy, 22);
    expect(copy, 22);
    expect(code, 21);
    report("private copy");
    munmap(code, 4 * PAGE);
    munmap(copy, 4 * PAGE);
    munmap(writable, 4 * PAGE);
    close(fd);
    close(from);
}

static void send_to(int fd)
{
    char byte = 1;
    write(fd, &byte, 1);
}

static void wait_for(int fd)
{
    char byte;
    while (read(fd, &byte, 1) < 0 && errno == EINTR) { }
}

// Two processes that write and call by turns.
static void processes(int count)
{
    int there[2], back[2], rounds = 6;
    char *code = map(-1, READ_EXECUTE, MAP_SHARED | MAP_ANONYMOUS, 16 * PAGE), *writable = code;
    mprotect(code, 16 * PAGE, READ_WRITE | PROT_EXEC);
    if (count > 400)
        count = 400;
    for (int i = 0; i < count; i++)
        put(writable + i * 64, i);
    for (int i = 0; i < count; i++)
        expect(code + i * 64, i);
    if (pipe(there) != 0 || pipe(back) != 0)
        exit(104);
    int child = fork();
    for (int round = 0; round < rounds; round++) {
        int value = (round + 1) * 1000;
        if (child == 0) {
            for (int i = 0; i < count; i++)
                put(writable + i * 64, value + i);
            for (int i = 0; i < count; i++)
                expect(code + i * 64, value + i);
            send_to(back[1]);
            wait_for(there[0]);
            for (int i = 0; i < count; i++)
                expect(code + i * 64, value + 500 + i);
            send_to(back[1]);
        } else {
            wait_for(back[0]);
            for (int i = 0; i < count; i++)
                expect(code + i * 64, value + i);
            for (int i = 0; i < count; i++)
                put(writable + i * 64, value + 500 + i);
            for (int i = 0; i < count; i++)
                expect(code + i * 64, value + 500 + i);
            send_to(there[1]);
            wait_for(back[0]);
        }
    }
    if (child == 0) {
        report("child");
        exit(0);
    }
    waitpid(child, 0, 0);
    munmap(code, 16 * PAGE);
    report("parent");
}

// Counters beside code, changed by two processes at a time, and by two mappings.
static void counters(void)
{
    char *code = map(-1, READ_WRITE | PROT_EXEC, MAP_SHARED | MAP_ANONYMOUS, PAGE), *alias = mremap(code, 0, PAGE, MREMAP_MAYMOVE);
    int *counter = (int *)(code + 2048), *other = (int *)(alias + 2048), *lock = counter + 1, *plain = counter + 2;
    int child = fork();
    for (int i = 0; i < 2000; i++) {
        if (i % 100 == 0) {
            put((child ? code : alias) + (child ? 0 : 64), i);
            expect((child ? alias : code) + (child ? 0 : 64), i);
        }
        __sync_fetch_and_add(child ? counter : other, 1);
        while (__sync_lock_test_and_set(lock, 1))
            sched_yield();
        ++*plain;
        __sync_lock_release(lock);
    }
    if (child == 0)
        exit(wrong);
    int status;
    waitpid(child, &status, 0);
    printf("counters: %d %d %d %d\n", *counter, *other, *plain, status);
    munmap(code, PAGE);
    munmap(alias, PAGE);
    report("counters");
}

static void remapping(int fd)
{
    ftruncate(fd, 4 * PAGE);
    char *writable = map(fd, READ_WRITE, MAP_SHARED, 2 * PAGE), *code = map(fd, READ_EXECUTE, MAP_SHARED, 2 * PAGE);
    for (int round = 0; round < 10; round++) {
        put(writable + 100, round);
        expect(code + 100, round);
        char *second = mremap(code, 0, 2 * PAGE, MREMAP_MAYMOVE);
        expect(second + 100, round);
        put(writable + 100, round + 100);
        expect(second + 100, round + 100);
        expect(code + 100, round + 100);

        // Away from its place, and to the place of the other.
        char *place = map(-1, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, 2 * PAGE);
        writable = mremap(writable, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, place);
        put(writable + 100, round + 200);
        expect(second + 100, round + 200);
        code = mremap(second, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, code);
        put(writable + 100, round + 300);
        expect(code + 100, round + 300);

        // Other pages of the file in its place.
        mmap(code, PAGE, READ_EXECUTE, MAP_SHARED | MAP_FIXED, fd, 2 * PAGE);
        pwrite(fd, "\xB8\x01\0\0\0\xC3", 6, 2 * PAGE + 100);
        expect(code + 100, 1);
        put(writable + 100, 2);
        expect(code + 100, 1);
        mmap(code, PAGE, READ_EXECUTE, MAP_SHARED | MAP_FIXED, fd, 0);
        expect(code + 100, 2);
        mprotect(writable, PAGE, PROT_READ);
        mprotect(writable, PAGE, READ_WRITE);
        put(writable + 100, 3);
        expect(code + 100, 3);
        munmap(writable, PAGE);
        writable = mmap(writable, PAGE, READ_WRITE, MAP_SHARED | MAP_FIXED, fd, 0);
        put(writable + 100, 4);
        expect(code + 100, 4);
        madvise(writable, PAGE, MADV_DONTNEED);
        put(writable + 100, 5);
        expect(code + 100, 5);
    }
    munmap(writable, 2 * PAGE);
    munmap(code, 2 * PAGE);
    report("remapping");
}

// A block that overwrites what it executes next, by the alias. Its arguments: where, and what.
static void self(int fd)
{
    static const char block[] = {
#ifdef __x86_64__
        0x40, (char)0x88, 0x37,                             // mov [rdi], sil
#else
        (char)0x8B, 0x4C, 0x24, 0x04,                       // mov ecx, [esp+4]
        (char)0x8B, 0x54, 0x24, 0x08,                       // mov edx, [esp+8]
        (char)0x88, 0x11,                                   // mov [ecx], dl
#endif
        (char)0xB8, 0, 0, 0, 0,                             // mov eax, 0
        (char)0xC3,                                         // ret
    };
    ftruncate(fd, PAGE);
    char *writable = map(fd, READ_WRITE, MAP_SHARED, PAGE), *code = map(fd, READ_EXECUTE, MAP_SHARED, PAGE);
    memcpy(writable + 256, block, sizeof block);
    for (int i = 0; i < calls * 20 && i < 20000; i++) {
        int value = ((int (*)(char *, int))(code + 256))(writable + 256 + sizeof block - 5, i & 0x7F);
        if (value != (i & 0x7F))
            wrong++;
    }
    munmap(writable, PAGE);
    munmap(code, PAGE);
    report("self");
}

// A function in two pages, whose frames are neighbours in one mapping and in the wrong order in the other.
static void straddling(int fd)
{
    ftruncate(fd, 3 * PAGE);
    char *code = map(fd, READ_EXECUTE, MAP_SHARED, 3 * PAGE), *reversed = map(fd, READ_WRITE, MAP_SHARED, 3 * PAGE);
    char *writable = map(fd, READ_WRITE, MAP_SHARED, 3 * PAGE);
    for (int i = 0; i < 3; i++)
        mmap(reversed + i * PAGE, PAGE, READ_WRITE, MAP_SHARED | MAP_FIXED, fd, (2 - i) * PAGE);
    for (int before = 1; before < 6; before++) {
        char *at = code + PAGE - before, bytes[6];
        for (int round = 0; round < 8; round++) {
            put(bytes, round * 0x01010101);
            for (int i = 0; i < 6; i++) {
                long offset = PAGE - before + i;
                reversed[(2 - offset / PAGE) * PAGE + offset % PAGE] = bytes[i];
            }
            expect(at, round * 0x01010101);
            *(int *)(writable + PAGE - before + 1) = round;
            expect(at, round);
            for (int i = 0; i < 4; i++) {
                long offset = PAGE - before + 1 + i;
                int value = round;
                ((char *)&value)[i] = 77;
                reversed[(2 - offset / PAGE) * PAGE + offset % PAGE] = 77;
                expect(at, value);
                reversed[(2 - offset / PAGE) * PAGE + offset % PAGE] = ((char *)&round)[i];
            }
        }
    }
    munmap(code, 3 * PAGE);
    munmap(reversed, 3 * PAGE);
    munmap(writable, 3 * PAGE);
    report("straddling");
}

static int to_thread[2], from_thread[2];
static char *thread_code;

static void *call_it(void *unused)
{
    for (int i = 0; i < 200; i++) {
        wait_for(to_thread[0]);
        expect(thread_code + i % 16 * 64, i);
        send_to(from_thread[1]);
    }
    return 0;
}

// A thread that writes while another one calls what was written before.
static void threads(int fd)
{
    pthread_t thread;
    ftruncate(fd, PAGE);
    char *writable = map(fd, READ_WRITE, MAP_SHARED, PAGE);
    thread_code = map(fd, READ_EXECUTE, MAP_SHARED, PAGE);
    if (pipe(to_thread) != 0 || pipe(from_thread) != 0 || pthread_create(&thread, 0, call_it, 0) != 0)
        exit(105);
    for (int i = 0; i < 200; i++) {
        put(writable + i % 16 * 64, i);
        send_to(to_thread[1]);
        if (i + 1 < 200)
            put(writable + (i + 1) % 16 * 64, i + 1);
        wait_for(from_thread[0]);
    }
    pthread_join(thread, 0);
    munmap(writable, PAGE);
    munmap(thread_code, PAGE);
    report("threads");
}

int main(int argc, char **argv)
{
    init(argc, argv);
    int count = argc > 2 ? atoi(argv[2]) : 3000;
    calls = argc > 3 ? atoi(argv[3]) : 1;
    base = map(-1, READ_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, PAGE);
    int memory = memfd_create("code", 0);
    char name[64];
    sprintf(name, "/dev/shm/aliases-%d", getpid());
    int shared = open(name, O_RDWR | O_CREAT | O_EXCL, 0600);
    unlink(name);
    functions("memfd", memory, count);
    functions("shm", shared, count);
    functions("file", temporary_file(PAGE), count);
    system_calls();
    processes(count);
    counters();
    remapping(memory);
    self(memory);
    straddling(memory);
    threads(memory);
    return 0;
}
