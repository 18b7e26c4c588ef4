/*
 * A page of documents, the answer to a search, a scroll or an _mget:
 *
 *   {"_scroll_id":"…","pit_id":"…","timed_out":false,"_shards":{"failed":0,…},
 *    "hits":{"hits":[{"_index":"album","_id":"1","_source":{…},"sort":[12]},…]}}
 *   {"docs":[{"_index":"album","_id":"1","found":true,"_source":{…}},
 *            {"_index":"album","_id":"2","found":false},
 *            {"_index":"album","_id":"3","error":{"type":"no_shard_available…",…}},…]}
 *
 * Members come in any order. (OpenSearch: "Search", "Scroll", "Point in Time", "Multi-get".)
 */
#ifndef TRANSHUME_CONNECTORS_OPENSEARCH_PAGE_H
#define TRANSHUME_CONNECTORS_OPENSEARCH_PAGE_H

#include "base/arena.h"
#include "base/error.h"
#include "base/text.h"
#include <stdbool.h>
#include <stdint.h>

struct opensearch_hit {
    struct text id;
    struct text source; /* the object as it stands; NULL: the answer has none */
    struct text sort;   /* the list as it stands */
    bool routed;        /* it has a routing of its own */
    bool absent;        /* "found":false: the document is not there */
    bool failed;        /* "error": an item of an _mget that could not be read */
    struct text fault;  /* the type of that error; NULL: it says none */
};

/* Texts point into the answer, or into the arena. */
struct opensearch_page {
    struct opensearch_hit *hits;
    uint32_t count;
    struct text scroll_id;
    struct text point_id;
    bool incomplete; /* a shard did not answer, or not in time */
};

/* STATUS_FAILED (ERROR_REJECT_UNREADABLE …): it is no page. */
enum status opensearch_page_read(const char *text, size_t length, struct arena *arena,
                                 struct opensearch_page *page, struct error *error) MUST_USE;

/* The error of a hit that has no source and is not absent: ERROR_NETWORK, which is tried again, of
 * an item that failed; else ERROR_NETWORK_ANSWER. */
enum status opensearch_hit_refuse(const struct opensearch_hit *hit, const char *object,
                                  struct error *error) MUST_USE;

#endif
