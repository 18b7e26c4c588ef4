-- rows: app_user 200000
-- rows: address 400000
-- rows: product 50000
-- rows: review 1000000
-- rows: orders 2000000
-- rows: order_item 6000000
CREATE TABLE app_user (id text PRIMARY KEY, email text, first_name text, last_name text, phone text, created_at timestamp, status text);
CREATE TABLE address (user_id text NOT NULL REFERENCES app_user (id), id text NOT NULL, address_type text, street text, city text, state text,
    postal_code text, country text, is_default boolean, PRIMARY KEY (user_id, id));
CREATE TABLE product (id text PRIMARY KEY, name text, description text, category text NOT NULL, brand text, price numeric(10, 2), currency text,
    stock integer, sku text, weight numeric(8, 3), created_at timestamp, updated_at timestamp, status text);
CREATE TABLE review (product_id text NOT NULL REFERENCES product (id), id text NOT NULL, user_id text NOT NULL REFERENCES app_user (id), rating integer,
    title text, comment text, created_at timestamp, verified boolean, PRIMARY KEY (product_id, id));
CREATE TABLE orders (id text PRIMARY KEY, user_id text NOT NULL REFERENCES app_user (id), ordered_at timestamp NOT NULL, status text,
    total numeric(10, 2), currency text, item_count integer, shipping_address text, billing_address text, payment_method text, tracking text,
    created_at timestamp, updated_at timestamp);
CREATE TABLE order_item (order_id text NOT NULL REFERENCES orders (id), product_id text NOT NULL REFERENCES product (id), quantity integer,
    unit_price numeric(10, 2), total_price numeric(10, 2), currency text, PRIMARY KEY (order_id, product_id));
