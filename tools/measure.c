/*
 * measure: runs a command and writes one line of JSON about it: wall and processor seconds, peak
 * resident memory, exit code or signal. Small on purpose: a child's peak counts from the memory of
 * the process that forked it, and a script's interpreter would hide the first 10 MiB.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define EXIT_USAGE 2
#define EXIT_FAILED 3
#define EXIT_NO_COMMAND 127

static double now_seconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static double seconds_of(struct timeval time)
{
    return (double)time.tv_sec + (double)time.tv_usec / 1e6;
}

int main(int argc, char **argv)
{
    struct rusage usage;
    int status;

    if (argc < 3) {
        fputs("usage: measure REPORT COMMAND [ARGUMENT...]\n", stderr);
        return EXIT_USAGE;
    }
    FILE *report = fopen(argv[1], "we");
    if (report == NULL) {
        fprintf(stderr, "measure: %s: %s\n", argv[1], strerror(errno));
        return EXIT_FAILED;
    }
    double start = now_seconds();
    pid_t child = fork();
    if (child == 0) {
        execvp(argv[2], argv + 2);
        fprintf(stderr, "measure: %s: %s\n", argv[2], strerror(errno));
        _exit(EXIT_NO_COMMAND);
    }
    if (child < 0 || wait4(child, &status, 0, &usage) != child) {
        fprintf(stderr, "measure: %s\n", strerror(errno));
        return EXIT_FAILED;
    }
    double wall = now_seconds() - start;

    fprintf(report,
            "{\"wall_s\": %.6f, \"user_s\": %.6f, \"system_s\": %.6f, \"peak_kib\": %ld,"
            " \"exit\": %d}\n",
            wall, seconds_of(usage.ru_utime), seconds_of(usage.ru_stime), usage.ru_maxrss,
            WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status));
    if (fclose(report) != 0) {
        fprintf(stderr, "measure: %s: %s\n", argv[1], strerror(errno));
        return EXIT_FAILED;
    }
    return 0;
}
