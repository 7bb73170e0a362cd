/*
 * gcc -fsanitize=address: by its second argument it uses what it has freed, or loses what it has allocated. Prints to the file that the first
 * one names.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static __attribute__((noinline)) long sum(const int *numbers, int count)
{
    long result = 0;
    while (count-- > 0)
        result = result * 3 + numbers[count];
    return result;
}

static __attribute__((noinline)) void lose(void)
{
    char *volatile lost = malloc(64);
    lost[1] = 1;
    lost = NULL;
}

int main(int argc, char **argv)
{
    int local[16], *many[200];
    int fd = open(argv[1], O_WRONLY | O_CREAT | O_APPEND, 0600);
    dup2(fd, 1);
    dup2(fd, 2);
    setvbuf(stdout, NULL, _IONBF, 0);
    for (int i = 0; i < 200; i++) {
        many[i] = malloc(4 * (i + 16));
        memset(many[i], i, 4 * (i + 16));
    }
    for (int i = 0; i < 16; i++)
        local[i] = sum(many[i * 7], 16 + i);
    for (int i = 0; i < 2000; i++)
        local[i % 16] += sum(many[i % 200], i % 16);
    printf("hello %lx\n", sum(local, 16));
    for (int i = 0; i < 200; i++)
        free(many[i]);
    if (argc > 2 && strcmp(argv[2], "use") == 0)
        printf("%ld\n", sum(many[5], 3));
    memset(many, 0, sizeof many);
    if (argc > 2 && strcmp(argv[2], "lose") == 0)
        lose();
    return 0;
}
