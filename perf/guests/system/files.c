/* open, read, write, stat and close of small files. usage: files ROUNDS */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
int main(int argc, char **argv)
{
    long sum = 0;
    int rounds = argc > 1 ? atoi(argv[1]) : 1;
    char name[] = "/tmp/files.0", buffer[512] = "some text";
    for (int i = 0; i < rounds; i++) {
        struct stat info;
        name[sizeof name - 2] = '0' + i % 8;
        int file = open(name, O_RDWR | O_CREAT, 0600);
        if (file < 0) return 1;
        buffer[7] = i;
        if (pwrite(file, buffer, sizeof buffer, 0) != sizeof buffer || pread(file, buffer, 64, 4) != 64 || fstat(file, &info)) return 1;
        sum += info.st_size + buffer[3];
        close(file);
        if (stat("/tmp", &info)) return 1;
    }
    printf("%ld\n", sum);
    return 0;
}
