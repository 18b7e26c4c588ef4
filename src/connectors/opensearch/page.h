/*
 * A page of documents, the answer to a search, a scroll or an _mget:
 *
 *   {"_scroll_id":"…","pit_id":"…","timed_out":false,"_shards":{"failed":0,…},
 *    "hits":{"hits":[{"_index":"album","_id":"1","_source":{…},"sort":[12]},…]}}
 *   {"docs":[{"_index":"album","_id":"1","found":true,"_source":{…}},…]}
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
    struct text source; /* the object as it stands; NULL: the document is not there */
    struct text sort;   /* the list as it stands */
    bool routed;        /* it has a routing of its own */
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

#endif
