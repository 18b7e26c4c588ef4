/*
 * Records that contradict each other in what they share, found by sorting what the chunks kept of
 * them by place. The first record of a place decides each value that it claims; one that claims
 * another value loses, whatever else it claims. Sorted strings:
 *
 *   place | record (settling.h) | claims | key | uint32 lengths of place and claims, big-endian
 */
#include "connectors/keyed/claims.h"
#include "connectors/keyed/settling.h"

#include "base/bytes.h"
#include "base/memory.h"
#include <stdlib.h>
#include <string.h>

enum { TAIL_BYTES = 8 };

/* A value of the place, and the record that decided it. */
struct holder {
    struct buffer name;
    struct buffer text;
    uint8_t hash[16];
    struct buffer key;
    uint8_t record[SETTLING_PLACE_BYTES];
    bool told; /* to stay */
};

struct entry {
    const uint8_t *place;
    size_t place_length;
    const uint8_t *record;
    const uint8_t *claims;
    size_t claims_length;
    const uint8_t *key;
    size_t key_length;
};

struct walk {
    struct settling *settling;
    struct buffer place;
    struct holder *holders;
    uint32_t holder_count;
    uint32_t holder_room;
    uint8_t last[SETTLING_PLACE_BYTES];
    bool void_record;                    /* the last one was refused after all */
    uint8_t told[SETTLING_RECORD_BYTES]; /* the last one that was told to stay */
    bool occupied;                       /* a record of the place stays that has a whole key */
    bool waiting;                        /* one without stays, as long as none does that has */
    struct holder vacant;                /* its key and record */
    /* records to be taken out */
    struct cell *keys;
    uint32_t key_count;
    struct arena *arena;   /* of the keys */
    struct arena *scratch; /* of a key that is looked at */
    struct buffer reason;
};

enum status settling_add_claims(struct settling *settling, uint64_t chunk,
                                const struct keyed_key *key, struct error *error)
{
    struct buffer *out = &settling->scratch;
    uint8_t record[SETTLING_PLACE_BYTES];
    uint8_t tail[TAIL_BYTES];
    settling_put_record(record, chunk, key);
    bytes_put_be(tail, key->place_length, 4);
    bytes_put_be(tail + 4, key->claims_length, 4);
    buffer_clear(out);
    buffer_append(out, key->place, key->place_length);
    buffer_append(out, record, sizeof(record));
    buffer_append(out, key->claims, key->claims_length);
    buffer_append(out, key->bytes, key->length);
    buffer_append(out, tail, sizeof(tail));
    return spill_sorter_add(settling->claims, out->data, out->length, error);
}

static struct entry read_entry(const uint8_t *bytes, size_t length)
{
    const uint8_t *tail = bytes + length - TAIL_BYTES;
    struct entry entry = {.place = bytes,
                          .place_length = (size_t)bytes_get_be(tail, 4),
                          .claims_length = (size_t)bytes_get_be(tail + 4, 4)};
    entry.record = bytes + entry.place_length;
    entry.claims = entry.record + SETTLING_PLACE_BYTES;
    entry.key = entry.claims + entry.claims_length;
    entry.key_length = (size_t)(tail - entry.key);
    return entry;
}

/* ---------------------------------------------------------------- taking out */

static enum status take_out(struct walk *walk, struct error *error)
{
    const struct settling *settling = walk->settling;
    enum status status = walk->key_count == 0 ? STATUS_OK
                                              : keyed_erase(settling->database, settling->table,
                                                            walk->keys, walk->key_count, error);
    walk->key_count = 0;
    arena_reset(walk->arena);
    return status;
}

static enum status read_key(const struct walk *walk, const struct entry *entry, struct arena *arena,
                            struct cell *key, struct error *error)
{
    const struct settling *settling = walk->settling;
    return settling->room->service->read_key(settling->database, settling->table, entry->key,
                                             entry->key_length, arena, key)
               ? STATUS_OK
               : error_set(error, ERROR_LEDGER_INVALID, settling->table->name,
                           "kept keys are damaged");
}

/* A key that has a null is of what a place holds without any record in it. */
static bool is_whole(const struct walk *walk, const struct cell *key)
{
    bool whole = true;
    for (uint32_t at = 0; at < walk->settling->table->key.count; at++) {
        whole = whole && key[at].kind != VALUE_NULL;
    }
    return whole;
}

static enum status add_key(struct walk *walk, const struct entry *entry, struct error *error)
{
    const struct settling *settling = walk->settling;
    struct cell *key = walk->keys + (size_t)walk->key_count * settling->table->key.count;
    if (read_key(walk, entry, walk->arena, key, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    walk->key_count += is_whole(walk, key);
    return walk->key_count == settling->room->service->erase_max ? take_out(walk, error)
                                                                 : STATUS_OK;
}

/* ---------------------------------------------------------------- what a place holds */

static struct holder *find_holder(const struct walk *walk, const struct keyed_claim *claim)
{
    for (uint32_t at = 0; at < walk->holder_count; at++) {
        struct holder *holder = &walk->holders[at];
        if (holder->name.length == claim->name_length &&
            memcmp(holder->name.data, claim->name, claim->name_length) == 0) {
            return holder;
        }
    }
    return NULL;
}

static void settle_claims_put(struct buffer *to, const void *bytes, size_t length)
{
    buffer_clear(to);
    buffer_append(to, bytes, length);
}

static void settle_claims_hold(struct walk *walk, const struct keyed_claim *claim,
                               const struct entry *entry)
{
    if (walk->holder_count == walk->holder_room) {
        walk->holders =
            memory_resize(walk->holders, walk->holder_room + 1u, sizeof(*walk->holders));
        walk->holders[walk->holder_room++] = (struct holder){0};
    }
    struct holder *holder = &walk->holders[walk->holder_count++];
    settle_claims_put(&holder->name, claim->name, claim->name_length);
    settle_claims_put(&holder->text, claim->text, claim->text_length);
    settle_claims_put(&holder->key, entry->key, entry->key_length);
    memcpy(holder->hash, claim->hash, sizeof(holder->hash));
    memcpy(holder->record, entry->record, sizeof(holder->record));
    holder->told = false;
}

static struct holder *find_contradiction(const struct walk *walk, struct keyed_claims claims,
                                         struct keyed_claim *claim)
{
    while (keyed_claims_next(&claims, claim)) {
        struct holder *holder = find_holder(walk, claim);
        if (holder != NULL && memcmp(holder->hash, claim->hash, sizeof(holder->hash)) != 0) {
            return holder;
        }
    }
    return NULL;
}

/* It is written again, over what others made of its values. */
static enum status tell_holder(struct walk *walk, struct holder *holder, struct error *error)
{
    bool told = holder->told;
    holder->told = true;
    if (told || memcmp(walk->told, holder->record, sizeof(walk->told)) == 0) {
        return STATUS_OK;
    }
    memcpy(walk->told, holder->record, sizeof(walk->told));
    return settling_tell(walk->settling, (const uint8_t *)holder->key.data, holder->key.length,
                         holder->record, DUPLICATE_STAYS, NULL, error);
}

static enum status take_loser(struct walk *walk, const struct entry *entry, struct holder *holder,
                              const struct keyed_claim *claim, struct text place,
                              struct error *error)
{
    const struct text held = {holder->text.data, holder->text.length};
    keyed_claims_refuse(&walk->reason, claim, place, held, "an earlier record");
    enum status status = tell_holder(walk, holder, error);
    status = status == STATUS_OK ? add_key(walk, entry, error) : status;
    return status == STATUS_OK
               ? settling_tell(walk->settling, entry->key, entry->key_length, entry->record,
                               DUPLICATE_CONTRADICTS, &walk->reason, error)
               : status;
}

/* Values that a record without a whole key shares with its place are there with those that have
 * one: it has no place of its own in the target. */
static enum status take_vacant(struct walk *walk, const struct holder *vacant,
                               const struct entry *entry, struct error *error)
{
    const char *place = "";
    uint8_t length = 0;
    struct keyed_claims claims;
    (void)!keyed_claims_read(entry->claims, entry->claims_length, &claims, &place, &length);
    buffer_clear(&walk->reason);
    buffer_format(
        &walk->reason,
        "static values without a row: the partition %.*s has rows in the target, with the "
        "same static values",
        (int)length, place);
    return settling_tell(walk->settling, (const uint8_t *)vacant->key.data, vacant->key.length,
                         vacant->record, DUPLICATE_CONTRADICTS, &walk->reason, error);
}

static enum status take_vacancy(struct walk *walk, const struct entry *entry, uint8_t *state,
                                struct error *error)
{
    struct cell key[KEYED_KEY_COLUMNS_MAX];
    struct holder *vacant = &walk->vacant;
    arena_reset(walk->scratch);
    if (read_key(walk, entry, walk->scratch, key, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    bool whole = is_whole(walk, key);
    bool leaves = whole ? walk->waiting : walk->occupied;
    if (!whole && !walk->waiting) {
        settle_claims_put(&vacant->key, entry->key, entry->key_length);
        memcpy(vacant->record, entry->record, sizeof(vacant->record));
    }
    walk->waiting = !whole && !walk->occupied;
    walk->occupied = walk->occupied || whole;
    *state = !whole && leaves ? SPILL_CONTRADICTS : *state;
    return leaves ? take_vacant(walk, vacant, entry, error) : STATUS_OK;
}

/* `*state`: of the record, for those that settle keys. */
static enum status take_claims(struct walk *walk, const struct entry *entry, uint8_t *state,
                               struct error *error)
{
    const char *place = "";
    uint8_t place_length = 0;
    struct keyed_claims claims;
    struct keyed_claim claim;
    if (!keyed_claims_read(entry->claims, entry->claims_length, &claims, &place, &place_length)) {
        return error_set(error, ERROR_LEDGER_INVALID, walk->settling->table->name,
                         "kept keys are damaged");
    }
    struct holder *holder = find_contradiction(walk, claims, &claim);
    if (holder != NULL) {
        *state = SPILL_CONTRADICTS;
        return take_loser(walk, entry, holder, &claim, (struct text){place, place_length}, error);
    }
    enum status status = STATUS_OK;
    while (status == STATUS_OK && keyed_claims_next(&claims, &claim)) {
        holder = find_holder(walk, &claim);
        if (holder == NULL) {
            settle_claims_hold(walk, &claim, entry);
        } else if (claim.adds_up && keyed_kind_of(walk->settling->table) != KEYED_INSERT) {
            status = tell_holder(walk, holder, error);
        }
    }
    return status == STATUS_OK ? take_vacancy(walk, entry, state, error) : status;
}

static enum status take_entry(struct walk *walk, const struct entry *entry, struct error *error)
{
    uint8_t record[SETTLING_PLACE_BYTES];
    enum status status = STATUS_OK;
    if (walk->place.length != entry->place_length ||
        memcmp(buffer_string(&walk->place), entry->place, entry->place_length) != 0) {
        settle_claims_put(&walk->place, entry->place, entry->place_length);
        walk->holder_count = 0;
        walk->occupied = false;
        walk->waiting = false;
        memset(walk->last, 0xff, sizeof(walk->last));
        memset(walk->told, 0xff, sizeof(walk->told));
    }
    bool same = memcmp(walk->last, entry->record, SETTLING_RECORD_BYTES) == 0;
    walk->void_record = entry->record[20] < SPILL_SENT || (same && walk->void_record);
    memcpy(walk->last, entry->record, sizeof(walk->last));
    memcpy(record, entry->record, sizeof(record));
    if (!walk->void_record && !same) {
        status = take_claims(walk, entry, &record[20], error);
    }
    return status == STATUS_OK
               ? settling_add_key(walk->settling, entry->key, entry->key_length, record, error)
               : status;
}

enum status settling_walk_claims(struct settling *settling, struct error *error)
{
    struct walk walk = {.settling = settling, .arena = arena_create(0), .scratch = arena_create(0)};
    const uint8_t *bytes = NULL;
    size_t length = 0;
    enum status status;
    walk.keys = memory_allocate_zeroed(
        (size_t)settling->room->service->erase_max * settling->table->key.count + 1,
        sizeof(*walk.keys));
    while ((status = spill_sorter_next(settling->claims, &bytes, &length, error)) == STATUS_OK) {
        const struct entry entry = read_entry(bytes, length);
        if (take_entry(&walk, &entry, error) != STATUS_OK) {
            status = STATUS_FAILED;
            break;
        }
    }
    status = status == STATUS_END ? take_out(&walk, error) : status;
    for (uint32_t at = 0; at < walk.holder_room; at++) {
        buffer_free(&walk.holders[at].name);
        buffer_free(&walk.holders[at].text);
        buffer_free(&walk.holders[at].key);
    }
    free(walk.holders);
    free(walk.keys);
    buffer_free(&walk.place);
    buffer_free(&walk.reason);
    buffer_free(&walk.vacant.key);
    arena_destroy(walk.scratch);
    arena_destroy(walk.arena);
    return status;
}
