/* SPDX-License-Identifier: MIT */
/* base/clock.c — see clock.h for the contract. */
#include "base/clock.h"

#include <assert.h> /* assert */
#include <stdio.h>  /* snprintf */
#include <time.h>   /* clock_gettime */

#include "base/system.h"

#define MS_PER_S 1000u
#define NS_PER_MS 1000000u

/* The longest time for which a Date is used without reading the wall clock, which
 * may be set. */
#define DATE_TRUST_MS 100u

void
clock_read(struct clock *clock)
{
    uint64_t now_ns = clock_now_ns();

    assert(now_ns >= clock->ns); /* CLOCK_MONOTONIC does not go back */
    clock->ns = now_ns;
    clock->ms = now_ns / NS_PER_MS;
    if (clock->state == CLOCK_OLD)
        clock->state = CLOCK_KEPT;
}

void
clock_init(struct clock *clock)
{
    *clock = (struct clock){.date_s = -1, .state = CLOCK_LOOSE};
    clock_read(clock);
}

void
clock_begin(struct clock *clock)
{
    assert(!clock->in_turn);
    clock->in_turn = true;
    clock->state = CLOCK_KEPT;
    clock_read(clock);
}

void
clock_end(struct clock *clock)
{
    assert(clock->in_turn && clock->state != CLOCK_LOOSE);
    clock->in_turn = false;
    clock->state = CLOCK_LOOSE;
}

uint8_t
clock_lend(struct clock *clock)
{
    uint8_t before = clock->state;

    clock->state = CLOCK_LOOSE;
    return before;
}

void
clock_take_back(struct clock *clock, uint8_t before)
{
    assert(clock->state == CLOCK_LOOSE);
    clock->state = before == CLOCK_LOOSE ? CLOCK_LOOSE : CLOCK_OLD;
}

/* Not strftime, whose names depend on the locale. */
void
clock_write_date(char out[CLOCK_DATE_BYTES + 1], int64_t s)
{
    static const char days[] = "SunMonTueWedThuFriSat";
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    time_t now = s;
    struct tm tm;

    gmtime_r(&now, &tm);
    snprintf(out, CLOCK_DATE_BYTES + 1, "%.3s, %02u %.3s %04u %02u:%02u:%02u GMT",
             days + tm.tm_wday * 3, (unsigned)tm.tm_mday % 100u, months + tm.tm_mon * 3,
             (unsigned)(tm.tm_year + 1900) % 10000u, (unsigned)tm.tm_hour % 100u,
             (unsigned)tm.tm_min % 100u, (unsigned)tm.tm_sec % 100u);
}

struct slice
clock_date(struct clock *clock)
{
    if (!clock->in_turn)
        (void)clock_ms(clock);
    if (clock->date_s == -1 || clock->ms >= clock->date_due_ms) {
        struct timespec now;
        clock_gettime(CLOCK_REALTIME_COARSE, &now);
        if (now.tv_sec != clock->date_s)
            clock_write_date(clock->date, now.tv_sec);
        clock->date_s = now.tv_sec;
        clock->date_due_ms = clock->ms + DATE_TRUST_MS;
    }
    return slice_new(clock->date, CLOCK_DATE_BYTES);
}

/* Both texts of a second, without its milliseconds. */
static void
write_stamp(struct clock_stamp *stamp, time_t now)
{
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    struct tm tm;

    localtime_r(&now, &tm);
    long minutes = tm.tm_gmtoff / 60;
    unsigned ahead = (unsigned)(minutes < 0 ? -minutes : minutes);
    unsigned year = (unsigned)(tm.tm_year + 1900) % 10000u;
    unsigned day = (unsigned)tm.tm_mday % 100u, hour = (unsigned)tm.tm_hour % 100u;
    unsigned minute = (unsigned)tm.tm_min % 100u, second = (unsigned)tm.tm_sec % 100u;
    char sign = minutes < 0 ? '-' : '+';
    snprintf(stamp->common, sizeof stamp->common,
             "%02u/%.3s/%04u:%02u:%02u:%02u %c%02u%02u", day, months + tm.tm_mon * 3,
             year, hour, minute, second, sign, ahead / 60 % 100u, ahead % 60);
    snprintf(stamp->iso, sizeof stamp->iso,
             "%04u-%02u-%02uT%02u:%02u:%02u.000%c%02u:%02u", year,
             (unsigned)(tm.tm_mon + 1) % 100u, day, hour, minute, second, sign,
             ahead / 60 % 100u, ahead % 60);
}

void
clock_stamp(struct clock_stamp *stamp, struct clock *clock)
{
    struct timespec now;
    uint64_t now_ms = clock_ms(clock);

    if (stamp->s != -1 && stamp->ms == now_ms)
        return;
    clock_gettime(CLOCK_REALTIME, &now); /* as precise as other programs' logs */
    if (now.tv_sec != stamp->s)
        write_stamp(stamp, now.tv_sec);
    stamp->s = now.tv_sec;
    stamp->ms = now_ms;
    unsigned ms = (unsigned)(now.tv_nsec / NS_PER_MS);
    stamp->iso[20] = (char)('0' + ms / 100 % 10);
    stamp->iso[21] = (char)('0' + ms / 10 % 10);
    stamp->iso[22] = (char)('0' + ms % 10);
}

uint64_t
clock_now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * MS_PER_S * NS_PER_MS + (uint64_t)now.tv_nsec;
}
