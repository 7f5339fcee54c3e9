/* SPDX-License-Identifier: MIT */
/* quic/congestion.h — the algorithms that decide how much may be in flight (RFC 9002 7). */
#ifndef QUIC_CONGESTION_H
#define QUIC_CONGESTION_H

enum quic_congestion {
    QUIC_CUBIC = 0, /* RFC 9438 */
    QUIC_BBR,       /* by measured bandwidth: loss alone does not slow it down */
    QUIC_RENO,      /* RFC 9002 7 */
};

#endif
