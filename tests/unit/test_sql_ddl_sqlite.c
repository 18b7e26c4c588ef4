/* The DDL reader against SQLite itself: what a file of DDL says is what the connector finds in a
 * database made of it. */
#include "sql/ddl.h"
#include "support.h"
#include "support_sqlite_source.h"
#include <ctype.h>
#include <string.h>

static const char *const schemas[] = {
    /* a music shop */
    "CREATE TABLE [Artist] ([ArtistId] INTEGER NOT NULL, [Name] NVARCHAR(120), CONSTRAINT [PK_Artist] "
    "PRIMARY KEY ([ArtistId]));\n"
    "CREATE TABLE [Album] ([AlbumId] INTEGER NOT NULL, [Title] NVARCHAR(160) NOT NULL, [ArtistId] "
    "INTEGER NOT NULL, CONSTRAINT [PK_Album] PRIMARY KEY ([AlbumId]), FOREIGN KEY ([ArtistId]) "
    "REFERENCES [Artist] ([ArtistId]) ON DELETE NO ACTION ON UPDATE NO ACTION);\n"
    "CREATE TABLE [Employee] ([EmployeeId] INTEGER NOT NULL PRIMARY KEY, [ReportsTo] INTEGER REFERENCES "
    "[Employee], [BirthDate] DATETIME, [Email] NVARCHAR(60));\n"
    "CREATE TABLE [Invoice] ([InvoiceId] INTEGER NOT NULL, [InvoiceDate] DATETIME NOT NULL, [Total] "
    "NUMERIC(10,2) NOT NULL, CONSTRAINT [PK_Invoice] PRIMARY KEY ([InvoiceId]));\n"
    "CREATE TABLE [PlaylistTrack] ([PlaylistId] INTEGER NOT NULL, [TrackId] INTEGER NOT NULL, CONSTRAINT "
    "[PK_PlaylistTrack] PRIMARY KEY ([PlaylistId], [TrackId]));\n"
    "CREATE UNIQUE INDEX [IPK_ProductItem] ON [Album]([AlbumId]);\n"
    "CREATE INDEX [IFK_AlbumArtistId] ON [Album] ([ArtistId]);\n",
    /* a film rental */
    "CREATE TABLE actor (\n  actor_id numeric NOT NULL ,\n  first_name VARCHAR(45) NOT NULL,\n  "
    "last_update TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,\n  PRIMARY KEY  (actor_id)\n  )\n ;\n"
    "CREATE  INDEX idx_actor_last_name ON actor(first_name)\n;\n"
    "CREATE TRIGGER actor_trigger_ai AFTER INSERT ON actor\n BEGIN\n  UPDATE actor SET last_update = "
    "DATETIME('NOW')  WHERE rowid = new.rowid;\n END\n;\n"
    "CREATE TABLE city (\n  city_id int NOT NULL,\n  city VARCHAR(50) NOT NULL,\n  country_id SMALLINT "
    "NOT NULL,\n  PRIMARY KEY  (city_id),\n  CONSTRAINT fk_city_country FOREIGN KEY (country_id) "
    "REFERENCES country (country_id) ON DELETE NO ACTION ON UPDATE CASCADE\n)\n;\n"
    "CREATE TABLE country (\n  country_id SMALLINT NOT NULL,\n  country VARCHAR(50) NOT NULL,\n  "
    "PRIMARY KEY  (country_id)\n)\n;\n"
    "CREATE TABLE film (\n  film_id int NOT NULL,\n  description BLOB SUB_TYPE TEXT DEFAULT NULL,\n  "
    "rental_rate DECIMAL(4,2) DEFAULT 4.99 NOT NULL,\n  rating VARCHAR(10) DEFAULT 'G',\n  PRIMARY KEY  "
    "(film_id),\n  CONSTRAINT CHECK_special_rating CHECK(rating in ('G','PG','PG-13'))\n)\n;\n"
    "CREATE VIEW film_list AS SELECT film_id FROM film;\n",
    /* a wholesaler */
    "CREATE TABLE \"Order Details\" (\"OrderID\" int NOT NULL, \"ProductID\" \"int\" NOT NULL, \"Unit "
    "Price\" \"money\" NOT NULL CONSTRAINT \"DF_UnitPrice\" DEFAULT (0), \"Discount\" real DEFAULT (0) "
    "CHECK (Discount >= 0 and (Discount <= 1)), CONSTRAINT \"PK_Order_Details\" PRIMARY KEY "
    "(\"OrderID\", \"ProductID\"), CONSTRAINT fk FOREIGN KEY (OrderID) REFERENCES \"Orders\" ON DELETE "
    "CASCADE);\n"
    "CREATE TABLE Orders (OrderID INTEGER PRIMARY KEY AUTOINCREMENT, CustomerID nchar (5) NULL, OrderDate "
    "datetime NULL, ShipVia int NULL, Freight money NULL DEFAULT (0), Note ntext, Pic image, "
    "UNIQUE (CustomerID, OrderDate) ON CONFLICT IGNORE) ;\n"
    "CREATE INDEX \"CustomerID\" ON Orders (CustomerID COLLATE NOCASE DESC, lower(Note)) WHERE Freight > "
    "1;\n",
    /* whatever else there is */
    "CREATE TABLE a (x, y ANY, z VARYING CHARACTER (5), u UNSIGNED BIG INT UNIQUE, b BOOLEAN DEFAULT "
    "TRUE, n NUMBER(5), p DOUBLE PRECISION DEFAULT -1.5e3, q DATE DEFAULT CURRENT_DATE, r TEXT DEFAULT "
    "\"it's\", s TEXT DEFAULT (strftime('%Y', 'now')), g AS (p * 2) STORED, h INT GENERATED ALWAYS AS "
    "(p), i INTEGER DEFAULT NULL, j INT DEFAULT +5);\n"
    "CREATE TABLE b (k TEXT PRIMARY KEY, v BLOB, FOREIGN KEY (K) REFERENCES A (u) DEFERRABLE INITIALLY "
    "DEFERRED) WITHOUT ROWID;\n"
    "CREATE TABLE c (k INTEGER, v ANY NOT NULL, l INT, PRIMARY KEY (k AUTOINCREMENT)) STRICT;\n"
    "CREATE TABLE d (k INTEGER PRIMARY KEY DESC, \"select\" TEXT COLLATE NOCASE NOT NULL, 'it''s' TEXT);\n"
    "CREATE TABLE IF NOT EXISTS main.e (id INT PRIMARY KEY, d_k REFERENCES d ON DELETE SET DEFAULT ON "
    "UPDATE SET NULL, CONSTRAINT one CHECK (id > 1), CONSTRAINT two UNIQUE (id, d_k));\n",
};

static void show_type(const struct value_type *type, struct buffer *out)
{
    buffer_format(out, "kind %d (%d,%d) bits %d %d%d%d%d%d%d", (int)type->kind, type->precision,
                  type->scale, type->bits, type->dynamic, type->dates, type->moments, type->truth,
                  type->zoned, type->no_nul);
}

static void show_list(const char *what, struct column_list list, struct buffer *out)
{
    buffer_format(out, " %s(", what);
    for (uint32_t i = 0; i < list.count; i++) {
        buffer_format(out, "%s%s", i > 0 ? "," : "", list.names[i]);
    }
    buffer_append_string(out, ")");
}

/* In lower case without blanks: SQLite has standard types in its own spelling. */
static void show_native(const char *native, struct buffer *out)
{
    for (const char *at = native != NULL ? native : "-"; *at != '\0'; at++) {
        if (*at != ' ') {
            buffer_append_byte(out, (char)tolower((unsigned char)*at));
        }
    }
    buffer_append_byte(out, '\n');
}

static void show_column(const struct schema_column *column, struct buffer *out)
{
    buffer_format(out, "  %s ", column->name);
    show_type(&column->type, out);
    buffer_format(out, " not null %d identity %d generated %d default %d %s native ",
                  column->not_null, column->identity, (int)column->generated,
                  (int)column->default_kind,
                  column->default_value != NULL ? column->default_value : "-");
    show_native(column->type.native, out);
}

/* The indexes that the two may list in another order, and under other names. */
static void show_indexes(const struct schema_table *table, struct buffer *out)
{
    for (int unique = 0; unique < 2; unique++) {
        for (int partial = 0; partial < 2; partial++) {
            for (uint32_t i = table->index_count; i > 0; i--) {
                const struct schema_index *index = &table->indexes[i - 1];
                if (index->unique == (unique != 0) && index->partial == (partial != 0) &&
                    !schema_is_primary_index(table, index)) {
                    buffer_format(out, "  index unique %d partial %d", unique, partial);
                    show_list("", index->columns, out);
                    buffer_append_byte(out, '\n');
                }
            }
        }
    }
}

static void show_table(const struct schema_table *table, struct buffer *out)
{
    buffer_format(out, "%s", table->name);
    show_list("key", table->primary_key, out);
    buffer_format(out, " not null %d\n", table->primary_key_not_null);
    for (uint32_t i = 0; i < table->column_count; i++) {
        show_column(&table->columns[i], out);
    }
    for (uint32_t i = table->foreign_key_count; i > 0; i--) {
        const struct schema_foreign_key *key = &table->foreign_keys[i - 1];
        show_list("  foreign key", key->columns, out);
        show_list(key->references, key->referenced_columns, out);
        buffer_format(out, " %s %s %d %s\n", key->on_delete != NULL ? key->on_delete : "-",
                      key->on_update != NULL ? key->on_update : "-", key->deferrable,
                      key->name != NULL ? key->name : "-");
    }
    for (uint32_t i = 0; i < table->check_count; i++) {
        buffer_format(out, "  check %s\n", table->checks[i]);
    }
}

static void show(const struct schema *schema, bool reversed, struct buffer *out)
{
    for (uint32_t i = 0; i < schema->table_count; i++) {
        if (schema->tables[i].kind != SCHEMA_TABLE) {
            continue;
        }
        struct schema_table table = schema->tables[i];
        struct schema_foreign_key keys[8];
        /* SQLite lists foreign keys from the last on */
        for (uint32_t k = 0; reversed && k < table.foreign_key_count; k++) {
            keys[k] = table.foreign_keys[table.foreign_key_count - 1 - k];
        }
        table.foreign_keys = reversed ? keys : table.foreign_keys;
        show_table(&table, out);
        show_indexes(&table, out);
    }
}

static void test_same_as_sqlite(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof schemas / sizeof schemas[0]; i++) {
        struct source_test test;
        struct schema *schema = NULL;
        struct schema read;
        struct sql_ddl_report report;
        struct buffer expected = {0};
        struct buffer found = {0};
        source_open(&test, sqlite_file(schemas[i]));
        assert_int_equal(
            test.database->connector->catalog->describe(test.database, &schema, &test.error),
            STATUS_OK);
        sql_ddl_read(SQL_SQLITE, schemas[i], strlen(schemas[i]), test.arena, &read, &report);
        assert_int_equal(report.findings.count, 0);
        show(schema, false, &expected);
        show(&read, true, &found);
        assert_buffer(&found, buffer_string(&expected));
        buffer_free(&expected);
        buffer_free(&found);
        arena_destroy(schema->arena);
        source_close(&test);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_same_as_sqlite)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
