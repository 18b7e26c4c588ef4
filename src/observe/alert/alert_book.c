#include "observe/alert/alert_book.h"

#include "base/memory.h"
#include "base/text.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct receiver_state {
    int64_t waits_us; /* since when something waits to be told; 0: nothing does */
    int64_t told_us;  /* when it was told last */
    int64_t not_before_us;
};

struct alert_book {
    const struct alert_receiver *receivers;
    uint32_t receiver_count;
    struct receiver_state states[ALERT_RECEIVERS_MAX];
    int64_t seen_us; /* the time that it was asked for last */
    struct alert alerts[ALERT_COUNT_MAX];
    uint32_t count;
};

struct alert_book *alert_book_create(const struct alert_receiver *receivers, uint32_t count)
{
    struct alert_book *book = memory_allocate_zeroed(1, sizeof(*book));
    book->receivers = receivers;
    book->receiver_count = count < ALERT_RECEIVERS_MAX ? count : ALERT_RECEIVERS_MAX;
    return book;
}

void alert_book_destroy(struct alert_book *book)
{
    free(book);
}

const char *alert_severity(const struct alert *alert)
{
    static const char *const names[] = {"error", "warning", "info", "info"};
    return names[alert->event.level];
}

void alert_name(const struct alert *alert, char *out, size_t capacity)
{
    const struct alert_event *event = &alert->event;
    snprintf(out, capacity, "%s%s%s", event_kind_name(event->kind),
             event->code[0] != '\0' ? " " : "", event->code);
}

/* ---- what happens */

static bool wants(const struct alert_receiver *receiver, const struct alert_event *event)
{
    bool fits = receiver->code_count == 0;
    for (uint32_t i = 0; i < receiver->code_count && !fits; i++) {
        fits = text_matches(receiver->codes[i], event->code) != 0;
    }
    return fits && (receiver->kinds & (1u << event->kind)) != 0 && event->level <= receiver->level;
}

static void make_pending(struct alert_book *book, struct alert *alert, uint32_t receivers,
                         int64_t at_us)
{
    alert->pending |= receivers;
    for (uint32_t i = 0; i < book->receiver_count; i++) {
        if ((receivers & (1u << i)) != 0 && book->states[i].waits_us == 0) {
            book->states[i].waits_us = at_us;
        }
    }
}

/* Receivers who never heard of it need not hear that it is over, unless they are about to. */
static void end_alert(struct alert_book *book, struct alert *alert, int64_t at_us)
{
    uint32_t hear = 0;
    alert->ends_us = at_us;
    for (uint32_t i = 0; i < book->receiver_count; i++) {
        hear |= book->receivers[i].resolved ? alert->told & (1u << i) : 0;
    }
    make_pending(book, alert, hear, at_us);
}

static bool is_same(const struct alert *alert, const struct alert_event *event)
{
    return alert->event.kind == event->kind && alert->ends_us == 0 &&
           strcmp(alert->event.code, event->code) == 0 &&
           strcmp(alert->event.table, event->table) == 0;
}

/* A place for another one: that of one that is over and told; NULL: all go on. */
static struct alert *find_room(struct alert_book *book)
{
    if (book->count < ALERT_COUNT_MAX) {
        return &book->alerts[book->count++];
    }
    for (uint32_t i = 0; i < book->count; i++) {
        if (book->alerts[i].ends_us != 0 && book->alerts[i].pending == 0) {
            return &book->alerts[i];
        }
    }
    return NULL;
}

static void begin_alert(struct alert_book *book, const struct alert_event *event)
{
    uint32_t hear = 0;
    for (uint32_t i = 0; i < book->receiver_count; i++) {
        hear |= wants(&book->receivers[i], event) ? 1u << i : 0;
    }
    struct alert *alert = hear != 0 ? find_room(book) : NULL;
    if (alert != NULL) {
        *alert = (struct alert){.event = *event, .last_us = event->at_us, .count = 1};
        make_pending(book, alert, hear, event->at_us);
    }
}

void alert_book_take(struct alert_book *book, const struct alert_event *event)
{
    struct alert *known = NULL;
    for (uint32_t i = 0; i < book->count; i++) {
        struct alert *alert = &book->alerts[i];
        if (event->kind == EVENT_RUN && alert->ends_us == 0) {
            end_alert(book, alert, event->at_us);
        }
        known = is_same(alert, event) ? alert : known;
    }
    if (known == NULL && !event->ends) {
        begin_alert(book, event);
    } else if (known != NULL && event->ends) {
        end_alert(book, known, event->at_us);
    } else if (known != NULL) {
        known->count++;
        known->last_us = event->at_us;
    }
}

/* ---- what is due */

static void end_what_did_not_last(struct alert_book *book, int64_t now_us)
{
    for (uint32_t i = 0; i < book->count; i++) {
        struct alert *alert = &book->alerts[i];
        if (alert->ends_us == 0 && !alert->event.lasts &&
            now_us - alert->last_us >= ALERT_LASTS_S * INT64_C(1000000)) {
            end_alert(book, alert, now_us);
        }
    }
}

static bool knows_any(const struct alert_book *book, uint32_t receiver)
{
    bool known = false;
    for (uint32_t i = 0; i < book->count && !known; i++) {
        known = book->alerts[i].ends_us == 0 && (book->alerts[i].told & (1u << receiver)) != 0;
    }
    return known;
}

/* 0: nothing is to be told. */
static int64_t due_us(const struct alert_book *book, uint32_t receiver, bool last)
{
    const struct alert_receiver *to = &book->receivers[receiver];
    const struct receiver_state *state = &book->states[receiver];
    int64_t due = 0;
    if (state->waits_us != 0) {
        due = last ? 1 : state->waits_us + to->group_ms * 1000;
    } else if (to->repeat_ms > 0 && !last && knows_any(book, receiver)) {
        due = state->told_us + to->repeat_ms * 1000;
    }
    return due == 0 || last || due > state->not_before_us ? due : state->not_before_us;
}

/* The alerts that changed, and in a repetition those that go on. */
static void alert_book_fill(struct alert_book *book, uint32_t receiver, int64_t now_us,
                            struct alert_batch *batch)
{
    uint32_t bit = 1u << receiver;
    bool repeats = book->states[receiver].waits_us == 0;
    *batch = (struct alert_batch){.receiver = receiver};
    for (uint32_t i = 0; i < book->count; i++) {
        struct alert *alert = &book->alerts[i];
        bool again = repeats && alert->ends_us == 0 && (alert->told & bit) != 0;
        if ((alert->pending & bit) != 0 || again) {
            batch->alerts[batch->count++] = alert;
            batch->firing = batch->firing || alert->ends_us == 0;
            alert->pending &= ~bit;
            alert->told |= bit;
        }
    }
    book->states[receiver].waits_us = 0;
    book->states[receiver].told_us = now_us;
}

static int64_t earlier(int64_t left, int64_t right)
{
    return left < right ? left : right;
}

/* A clock that is set back must not make anybody wait until it is again what it was. */
static void follow_clock(struct alert_book *book, int64_t now_us)
{
    for (uint32_t i = 0; i < book->receiver_count && now_us < book->seen_us; i++) {
        struct receiver_state *state = &book->states[i];
        int64_t retry_us = now_us + ALERT_RETRY_S * INT64_C(1000000);
        state->waits_us = earlier(state->waits_us, now_us);
        state->told_us = earlier(state->told_us, now_us);
        state->not_before_us = earlier(state->not_before_us, retry_us);
    }
    for (uint32_t i = 0; i < book->count && now_us < book->seen_us; i++) {
        book->alerts[i].last_us = earlier(book->alerts[i].last_us, now_us);
    }
    book->seen_us = now_us;
}

bool alert_book_next(struct alert_book *book, int64_t now_us, bool last, struct alert_batch *batch)
{
    follow_clock(book, now_us);
    end_what_did_not_last(book, now_us);
    for (uint32_t i = 0; i < book->receiver_count; i++) {
        int64_t due = due_us(book, i, last);
        if (due != 0 && due <= now_us) {
            alert_book_fill(book, i, now_us, batch);
            if (batch->count > 0) {
                return true;
            }
        }
    }
    return false;
}

void alert_book_put_back(struct alert_book *book, const struct alert_batch *batch, int64_t now_us)
{
    struct receiver_state *state = &book->states[batch->receiver];
    for (uint32_t i = 0; i < batch->count; i++) {
        book->alerts[batch->alerts[i] - book->alerts].pending |= 1u << batch->receiver;
    }
    state->waits_us = now_us;
    state->not_before_us = now_us + ALERT_RETRY_S * INT64_C(1000000);
}

int64_t alert_book_due_us(const struct alert_book *book, int64_t now_us)
{
    int64_t next = now_us + INT64_C(3600000000);
    for (uint32_t i = 0; i < book->receiver_count; i++) {
        int64_t due = due_us(book, i, false);
        next = due != 0 && due < next ? due : next;
    }
    for (uint32_t i = 0; i < book->count; i++) {
        const struct alert *alert = &book->alerts[i];
        int64_t over = alert->last_us + ALERT_LASTS_S * INT64_C(1000000);
        next = alert->ends_us == 0 && !alert->event.lasts && over < next ? over : next;
    }
    return next;
}
