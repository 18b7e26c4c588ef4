/* Declarations that the files of a copied table share; change_shadow.c says what is made. */
#ifndef TRANSHUME_CONNECTORS_MYSQL_CHANGE_CHANGE_SHADOW_H
#define TRANSHUME_CONNECTORS_MYSQL_CHANGE_CHANGE_SHADOW_H

#include "connectors/mysql/change/change.h"

/* A table and its new form. All is in the plan's arena. */
struct mysql_shadow {
    struct mysql_change_plan *plan;
    const struct mysql_change_set *set;
    const struct mysql_change_table *table, *after;
    const struct mysql_change_key *key; /* of the table */
    const struct mysql_change_pair *key_pairs[SQL_SHADOW_KEY_MAX];
    struct mysql_change_pair *pairs; /* columns of the shadow that are written */
    uint32_t pair_count;
    struct mysql_change_pair *carried; /* columns that have the same value, generated ones too */
    uint32_t carried_count;
    struct mysql_change_pair *back; /* columns of the old table that are written */
    uint32_t back_count;
    const char *shadow, *old, *queue, *back_queue, *mode;
    const char *settings;
    const char *time_zone;
    const char *form;     /* a query: is the table as it was compiled? */
    const char *new_form; /* likewise, once it is switched: has it its new form? NULL: not known */
};

/* In the order that they are made in: a row that an INSERT brings into the shadow has to be deleted
 * with its own. */
enum mysql_shadow_event {
    MYSQL_SHADOW_ON_DELETE,
    MYSQL_SHADOW_ON_UPDATE,
    MYSQL_SHADOW_ON_INSERT,
    MYSQL_SHADOW_EVENT_COUNT
};

/* change_shadow_key.c */
/* Chooses the key by which the rows are walked, and its columns in the new form.
 * ERROR_CHANGE_REFUSED: there is none. */
enum status mysql_shadow_choose_key(struct mysql_shadow *self, struct error *error) MUST_USE;
/* An index of the new form that begins with the columns of a key of the table, in any order; NULL:
 * there is none. */
const char *mysql_shadow_index_for(const struct mysql_shadow *self,
                                   const struct mysql_change_key *key);

/* change_shadow_triggers.c */
/* By event: DELETE, UPDATE, INSERT, and what names of triggers have. */
extern const char *const mysql_shadow_event_names[MYSQL_SHADOW_EVENT_COUNT];
extern const char *const mysql_shadow_forward_roles[MYSQL_SHADOW_EVENT_COUNT];
extern const char *const mysql_shadow_back_roles[MYSQL_SHADOW_EVENT_COUNT];
/* "a, b": the columns that are written, of the shadow; `down`: of the old table. */
void mysql_shadow_append_columns(struct buffer *sql, const struct mysql_change_pair *pairs,
                                 uint32_t count, bool down);
/* And their values, over a row of the other table with `prefix` ("NEW.", "t."). */
void mysql_shadow_append_values(struct buffer *sql, const struct mysql_shadow *self, bool down,
                                const char *prefix);
const char *mysql_shadow_drop_trigger(const struct mysql_shadow *self, const char *name);
/* Steps: the triggers that feed the shadow; `down`: that feed the old table after the switch. */
void mysql_shadow_add_triggers(struct mysql_shadow *self, bool down);

/* change_shadow_tables.c */
const char *mysql_shadow_drop_table(const struct mysql_shadow *self, const char *name);
/* A step of one statement, whose buffer it empties. `undo` and `stands` may be NULL. */
void mysql_shadow_add_statement(struct mysql_shadow *self, enum change_phase phase,
                                const char *title, struct buffer *sql, const char *undo,
                                const char *stands);
/* Did the server name the foreign key after its table? Then the name follows the table's. */
bool mysql_shadow_names_itself(const struct mysql_change_reference *reference, const char *table);
bool mysql_shadow_is_of_itself(const struct mysql_shadow *self,
                               const struct mysql_change_reference *reference);
/* The foreign key's clause, by the name `name`. */
void mysql_shadow_append_reference(struct buffer *sql, const struct mysql_shadow *self,
                                   const struct mysql_change_reference *reference,
                                   const char *name);
/* The name of a foreign key of the table while it is the shadow's. */
const char *mysql_shadow_reference_name(const struct mysql_shadow *self,
                                        const struct mysql_change_reference *reference);
/* Steps: the shadow, its queues and its mode. */
void mysql_shadow_add_tables(struct mysql_shadow *self);
/* A step: the indexes of the shadow that are made behind the copy. */
void mysql_shadow_add_indexes(struct mysql_shadow *self);

/* change_shadow_batches.c */
/* The settings of a step's session; `proves`: it reads both tables as of one moment. */
const char *mysql_shadow_settings(const struct mysql_shadow *self, bool proves);
/* A statement that sets the mode. */
const char *mysql_shadow_set_mode(const struct mysql_shadow *self, const char *mode);
/* A step of batches. */
void mysql_shadow_add_batches(struct mysql_shadow *self, enum change_phase phase,
                              enum sql_shadow_kind kind, const char *title);

/* change_shadow_switch.c */
/* The steps of CHANGE_SWITCH_WRITES, with their way back, and of CHANGE_CONTRACT. */
void mysql_shadow_add_switch(struct mysql_shadow *self);
void mysql_shadow_add_contract(struct mysql_shadow *self);

#endif
