#include "connectors/cassandra/protocol/cql_ring.h"

#include "base/memory.h"
#include "base/text.h"
#include <stdlib.h>
#include <string.h>

enum { FACTOR_MAX = 64, RACKS_MAX = 64 };

static int compare_entries(const void *left, const void *right)
{
    const struct cql_ring_entry *a = left;
    const struct cql_ring_entry *b = right;
    return (a->token > b->token) - (a->token < b->token);
}

void cql_ring_sort(struct cql_ring_entry *entries, size_t count)
{
    if (count > 0) {
        qsort(entries, count, sizeof *entries, compare_entries);
    }
}

size_t cql_ring_find(const struct cql_ring *ring, int64_t token)
{
    size_t low = 0;
    size_t high = ring->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (ring->entries[middle].token < token) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < ring->count ? low : 0;
}

/* ---------------------------------------------------------------- replication */

static bool value_is(struct cql_value value, const char *word)
{
    return value.length >= 0 && (size_t)value.length == strlen(word) &&
           memcmp(value.data, word, (size_t)value.length) == 0;
}

static bool ends_with(struct cql_value value, const char *word)
{
    size_t length = strlen(word);
    return value.length >= 0 && (size_t)value.length >= length &&
           memcmp(value.data + value.length - length, word, length) == 0;
}

/* "3", or "3/1" with transient replicas. */
static uint32_t factor_of(struct cql_value value)
{
    uint32_t factor = 0;
    for (int32_t at = 0; at < value.length && value.data[at] >= '0' && value.data[at] <= '9';
         at++) {
        factor = factor * 10 + (uint32_t)(value.data[at] - '0');
        factor = factor < FACTOR_MAX ? factor : FACTOR_MAX;
    }
    return factor;
}

struct cql_replication cql_replication_read(struct cql_value map, const char *local_dc)
{
    struct cql_replication replication = {CQL_STRATEGY_OTHER, 0};
    uint32_t simple = 0;
    uint32_t local = 0;
    struct cql_reader reader = cql_reader_of(map.data, map.length > 0 ? (size_t)map.length : 0);
    for (size_t left = cql_read_count(&reader, 8); left > 0 && !reader.failed; left--) {
        struct cql_value name = cql_read_value(&reader);
        struct cql_value value = cql_read_value(&reader);
        if (value_is(name, "class")) {
            replication.strategy = ends_with(value, "NetworkTopologyStrategy")
                                       ? CQL_STRATEGY_NETWORK
                                   : ends_with(value, "SimpleStrategy") ? CQL_STRATEGY_SIMPLE
                                                                        : CQL_STRATEGY_OTHER;
        } else if (value_is(name, "replication_factor")) {
            simple = factor_of(value);
        } else if (value_is(name, local_dc)) {
            local = factor_of(value);
        }
    }
    replication.factor = replication.strategy == CQL_STRATEGY_NETWORK ? local : simple;
    return replication;
}

/* ---------------------------------------------------------------- replicas */

/* The replicas of one entry, while they are gathered. */
struct replicas {
    uint16_t *nodes;
    size_t count;
    const char *racks[RACKS_MAX];
    size_t rack_count;
    int64_t repeats_left; /* nodes that may be on a rack that has one already */
};

static bool is_local(const struct cql_ring *ring, uint16_t node, const char *local_dc)
{
    return strcmp(ring->places[node].dc, local_dc) == 0;
}

static bool contains(const uint16_t *nodes, size_t count, uint16_t node)
{
    for (size_t at = 0; at < count; at++) {
        if (nodes[at] == node) {
            return true;
        }
    }
    return false;
}

/* True if it is a rack that was not there yet. */
static bool add_rack(const char **racks, size_t *count, const char *rack)
{
    for (size_t at = 0; at < *count; at++) {
        if (strcmp(racks[at], rack) == 0) {
            return false;
        }
    }
    if (*count < RACKS_MAX) {
        racks[(*count)++] = rack;
    }
    return true;
}

/* The next nodes of the ring, of any data centre; the local ones of them are kept. */
static size_t place_simply(const struct cql_ring *ring, size_t entry, uint32_t factor,
                           const char *local_dc, uint16_t *out)
{
    uint16_t seen[FACTOR_MAX];
    size_t seen_count = 0;
    size_t count = 0;
    for (size_t step = 0; step < ring->count && seen_count < factor; step++) {
        uint16_t node = ring->entries[(entry + step) % ring->count].node;
        if (!contains(seen, seen_count, node)) {
            seen[seen_count++] = node;
            if (is_local(ring, node, local_dc)) {
                out[count++] = node;
            }
        }
    }
    return count;
}

/* The next nodes of the data centre; a rack that has one already gets another only as far as there
 * are fewer racks than replicas. */
static size_t place_by_racks(const struct cql_ring *ring, size_t entry, uint32_t factor,
                             size_t racks, const char *local_dc, uint16_t *out)
{
    struct replicas replicas = {.nodes = out, .repeats_left = (int64_t)factor - (int64_t)racks};
    for (size_t step = 0; step < ring->count && replicas.count < factor; step++) {
        uint16_t node = ring->entries[(entry + step) % ring->count].node;
        if (!is_local(ring, node, local_dc) || contains(out, replicas.count, node)) {
            continue;
        }
        if (add_rack(replicas.racks, &replicas.rack_count, ring->places[node].rack) ||
            replicas.repeats_left-- > 0) {
            out[replicas.count++] = node;
        }
    }
    return replicas.count;
}

static void count_local(const struct cql_ring *ring, const char *local_dc, uint32_t *nodes,
                        size_t *racks)
{
    const char *seen[RACKS_MAX];
    *nodes = 0;
    *racks = 0;
    for (size_t node = 0; node < ring->node_count; node++) {
        if (is_local(ring, (uint16_t)node, local_dc)) {
            (*nodes)++;
            (void)add_rack(seen, racks, ring->places[node].rack);
        }
    }
}

uint16_t *cql_ring_replicas(const struct cql_ring *ring, struct cql_replication replication,
                            const char *local_dc, size_t *width)
{
    if (ring->count == 0) {
        return NULL;
    }
    uint32_t local_nodes;
    size_t racks;
    count_local(ring, local_dc, &local_nodes, &racks);
    uint32_t factor = replication.factor;
    if (replication.strategy == CQL_STRATEGY_OTHER) {
        factor = 1;
    } else if (replication.strategy == CQL_STRATEGY_NETWORK && factor > local_nodes) {
        factor = local_nodes;
    }
    *width = factor > 0 ? factor : 1;
    uint16_t *all = memory_resize(NULL, ring->count * *width, sizeof *all);
    memset(all, 0xff, ring->count * *width * sizeof *all);
    for (size_t entry = 0; entry < ring->count; entry++) {
        uint16_t *out = all + entry * *width;
        if (replication.strategy == CQL_STRATEGY_NETWORK) {
            (void)place_by_racks(ring, entry, factor, racks, local_dc, out);
        } else {
            (void)place_simply(ring, entry, factor, local_dc, out);
        }
    }
    return all;
}
