-- transhume:lock-timeout 2s
-- transhume:before-image customers WHERE country <> upper(country)
-- transhume:before null customers.country
-- transhume:after rows customers unchanged
-- transhume:after query SELECT count(*) FROM customers WHERE country <> upper(country) => 0
UPDATE customers SET country = upper(country) WHERE country <> upper(country);
