/* The contract: following the changes of a source. */
#ifndef TRANSHUME_CONNECTORS_CONTRACT_FEED_H
#define TRANSHUME_CONNECTORS_CONTRACT_FEED_H

#include "base/buffer.h"
#include "connectors/contract/database.h"
#include "connectors/contract/lacks.h"
#include "model/change.h"

struct feed; /* a change stream being read; a connection of its own, one thread */

struct feed_start {
    struct position position; /* from here on it brings changes */
    /*
     * The text that source.snapshot is given to read at the moment of `position`, so that a copy at
     * it and all changes after `position` are everything, once. NULL: the feed knows no such
     * moment; a change that it brings may then be in the copy already, and every change is guarded
     * when it is applied.
     */
    const char *snapshot;
};

struct followed_table {
    const char *name;
    /* Columns whose former values each change has to tell, beside the key. */
    struct column_list before;
};

/* -1: not known. */
struct feed_health {
    int64_t bytes_kept; /* by the source for this feed, which `drop` frees */
    int64_t bytes_left; /* before the source drops what the feed has not confirmed */
    int64_t lag_us;     /* between the source's last commit and the last one that was brought */
    int64_t lag_bytes;  /* of the source's log, likewise */
    int64_t keeps_us;   /* for so long the source keeps its log, whoever reads it */
    int64_t clock_us;   /* the source's clock is ahead of this machine's; 0: not known, too */
    /* Another number once a followed table may be defined in another way, or tables came or went: a
     * reason to ask the catalogue. 0: not known; what the feed sees it tells by RECORD_REDEFINED */
    uint64_t definitions;
};
#define FEED_HEALTH_UNKNOWN ((struct feed_health){-1, -1, -1, -1, -1, 0, 0})

/* The consequences that following would have for the source. Texts in the caller's arena. */
struct feed_forecast {
    const char *const *statements; /* that `create` would run there */
    uint32_t statement_count;
    const char *const *costs; /* for writers and disk: a sentence each */
    uint32_t cost_count;
    /* The statements that the server's own replication takes, where the target is of the same kind,
     * `target`'s place in them being the target's address; and the things that it leaves undone.
     * None: it has none. */
    const char *const *native;
    uint32_t native_count;
    const char *const *native_lacks;
    uint32_t native_lack_count;
    struct lack_list lacks; /* all for which `create` would refuse; `arena` is the caller's */
};

/*
 * Positions are in a partial order: one covers another if all that lies before the other lies
 * before it, too. Of two positions of one log one covers the other. Two of a log of partitions, or
 * of the transactions of two servers, may each have what the other lacks.
 */
enum position_order {
    POSITION_BEFORE, /* the right one covers the left one */
    POSITION_SAME,   /* each covers the other */
    POSITION_BEHIND, /* the left one covers the right one */
    POSITION_APART   /* neither does */
};

/* The order in which a feed brings its change sets. */
enum feed_order {
    /* A set is a transaction or a piece of one, and they come in the order of their commits. */
    FEED_ORDER_COMMITS,
    /* A set is a piece of a partition, in order within it, and all changes of a key are in one
     * partition. Nothing is said of the order between keys: what a transaction did may come in
     * several sets, others between them, and another reading from the same position may bring the
     * sets of different partitions in another order. Each set is a first and a last piece. */
    FEED_ORDER_KEYS
};

struct feed_functions {
    enum feed_order order;
    /* A position holds on other servers, too, that have got the same changes, as after a failover;
     * `open` tells where one has not (ERROR_FEED_LOST). */
    bool elsewhere;
    bool whole_rows; /* it tells of tables without a key, by whole rows */
    /*
     * Makes the named feed of these tables, or finds it with its first position. `start` lives in
     * the arena. Control thread. The name is of [a-z0-9_], at most 40 characters.
     */
    enum status (*create)(struct database *self, const char *name,
                          const struct followed_table *tables, uint32_t table_count,
                          struct arena *arena, struct feed_start *start, struct error *error);
    /*
     * Optional: has the feed, which nobody has open, tell of these tables from now on: of those
     * that it does not tell of yet, as tables that are new, and of those that were made again. The
     * others stay as they are. Repeatable. Control thread. NULL: it tells of any table that
     * database.followed names.
     */
    enum status (*extend)(struct database *self, const char *name,
                          const struct followed_table *tables, uint32_t table_count,
                          struct error *error);
    /* Removes it, with what the source keeps for it; absent: STATUS_OK. Control thread. */
    enum status (*drop)(struct database *self, const char *name, struct error *error);
    /* ERROR_FEED_LOST: the source has dropped what followed the position. */
    enum status (*open)(struct database *self, const char *name, struct position position,
                        struct feed **feed, struct error *error);
    void (*close)(struct feed *feed); /* takes NULL */
    /*
     * The next change set, handed over. STATUS_AGAIN: none came within timeout_ms. A followed table
     * that was dropped, renamed or defined anew ends nothing: of what it can't read any more it
     * tells by RECORD_REPLACED, and the others are told of.
     */
    enum status (*next)(struct feed *feed, int64_t timeout_ms, struct change_set **set,
                        struct error *error);
    /* Everything up to the position is durable elsewhere: the source may forget it. Positions only
     * go up; a lower one changes nothing. */
    enum status (*confirm)(struct feed *feed, struct position position, struct error *error);
    enum status (*health)(struct feed *feed, struct feed_health *health, struct error *error);
    /* The same of a feed that nobody need have open, through a connection of its own, as while the
     * copy is made; the lags are not known. ERROR_FEED_LOST: it is gone, or of no use any more. Any
     * thread. NULL: nobody can say. */
    enum status (*look)(struct database *self, const char *name, struct feed_health *health,
                        struct error *error);
    /*
     * Optional: what `create` would do, changing nothing, and all for which it would refuse
     * (forecast->lacks). `target`: what is opened there, to say whether the server's own
     * replication would do as well; NULL: nobody wants to know. STATUS_FAILED: the server did not
     * answer. Control thread.
     */
    enum status (*foresee)(struct database *self, const char *name,
                           const struct followed_table *tables, uint32_t table_count,
                           const struct database *target, struct arena *arena,
                           struct feed_forecast *forecast, struct error *error);
    /*
     * Optional: keeps everybody from writing the tables, or lets them again. Once it returns with
     * `on`, nothing of them is written any more, and whatever was comes at or before `head`.
     * Writers get an error that says so. It outlasts this process and the feed; repeatable. With
     * `on` it heeds signals_stop_level while it waits for others. One thread at a time, which may
     * be any where `self` was opened for this alone. NULL: a command of the user's has to do it.
     */
    enum status (*fence)(struct database *self, const char *name, const char *const *tables,
                         uint32_t table_count, bool on, struct error *error);
    /* Optional: may this account set the fence and open it again? Notes all that is missing;
     * changes nothing. STATUS_FAILED: the server did not answer. Control thread. NULL: it may. */
    enum status (*may_fence)(struct database *self, const char *name, const char *const *tables,
                             uint32_t table_count, struct lack_list *lacks, struct error *error);
    /* Where the source is now: whatever was committed before the call comes at or before this
     * position, and a feed that is opened before it gets there, also where nothing of its tables
     * changes any more. Control thread. */
    enum status (*head)(struct database *self, struct arena *arena, struct position *position,
                        struct error *error);
    /* Optional: a position for people. Any thread. */
    void (*print)(struct position position, struct buffer *out);
    /* Does `at` cover `goal`? False of what are no positions of feeds of this connector. Any
     * thread. */
    bool (*covers)(struct position at, struct position goal);
    /* Optional: the highest position that both cover, in the arena. NULL: of two positions of which
     * neither covers the other nobody can say. Any thread. */
    struct position (*lower)(struct position left, struct position right, struct arena *arena);
};

static inline enum position_order feed_order_of(const struct feed_functions *feed,
                                                struct position left, struct position right)
{
    bool behind = feed->covers(left, right);
    bool before = feed->covers(right, left);
    return behind ? (before ? POSITION_SAME : POSITION_BEHIND)
                  : (before ? POSITION_BEFORE : POSITION_APART);
}

#endif
