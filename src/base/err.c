/* SPDX-License-Identifier: MIT */
/* base/err.c — see err.h for the contract. */
#include "base/err.h"

#include <errno.h> /* EAGAIN and its like */

const char *
err_text(int err)
{
    static const char *const texts[] = {"no error",
#define ERR_TEXT(name, text) text,
                                        ERR_LIST(ERR_TEXT)
#undef ERR_TEXT
    };
    if (err > 0 || err <= -ERR_POSITIVE_END)
        return "an unknown error";
    return texts[-err];
}

int
err_from_errno(int number)
{
    switch (number) {
    case EAGAIN:
#if EWOULDBLOCK != EAGAIN
    case EWOULDBLOCK:
#endif
        return ERR_AGAIN;
    case EPIPE:
    case ECONNRESET:
    case ETIMEDOUT:
        return ERR_RESET;
    case ENOMEM:
    case ENOBUFS:
        return ERR_NOMEM;
    case EMFILE:
    case ENFILE:
        return ERR_FD_LIMIT;
    case EADDRINUSE:
        return ERR_ADDRESS_IN_USE;
    case EACCES:
    case EPERM:
        return ERR_ADDRESS_DENIED;
    case EADDRNOTAVAIL:
        return ERR_ADDRESS;
    default:
        return ERR_IO;
    }
}
