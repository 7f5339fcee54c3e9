/* SPDX-License-Identifier: MIT */
/* http3/wt_ops.h — what an application does with a session of WebTransport. */
#ifndef HTTP3_WT_OPS_H
#define HTTP3_WT_OPS_H

#include "http/webtransport.h" /* struct webtransport_ops */

extern const struct webtransport_ops wt_ops;

#endif
