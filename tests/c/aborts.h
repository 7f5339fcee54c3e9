/* SPDX-License-Identifier: MIT */
/* tests/c/aborts.h — whether a call breaks an assertion, tested in a child process. */
#ifndef TESTS_ABORTS_H
#define TESTS_ABORTS_H

#include <fcntl.h>        /* open */
#include <signal.h>       /* SIGABRT */
#include <stdbool.h>      /* bool */
#include <stdio.h>        /* fflush */
#include <sys/resource.h> /* setrlimit */
#include <sys/wait.h>     /* waitpid */
#include <unistd.h>       /* fork */

/* Returns whether `call` ends the process by SIGABRT; always true without asserts
 * (NDEBUG). */
static bool __attribute__((unused))
aborts(void (*call)(void *arg), void *arg)
{
#ifdef NDEBUG
    (void)call;
    (void)arg;
    return true;
#else
    int status = 0;

    (void)fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
        (void)dup2(null, STDERR_FILENO);
        (void)setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
        call(arg);
        _exit(0);
    }
    return pid > 0 && waitpid(pid, &status, 0) == pid && WIFSIGNALED(status) &&
           WTERMSIG(status) == SIGABRT;
#endif
}

#endif
