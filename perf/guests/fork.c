/* fork, exit, wait. */
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>
int main(void)
{
    int sum = 0;
    for (int i = 0; i < 1500; i++) {
        int status;
        pid_t child = fork();
        if (child == 0) _exit(i & 127);
        waitpid(child, &status, 0);
        sum += WEXITSTATUS(status);
    }
    printf("%d\n", sum);
    return 0;
}
