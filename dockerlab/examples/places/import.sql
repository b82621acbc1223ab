CREATE TABLE places (name TEXT, latitude REAL, longitude REAL);
.mode csv
.import places.csv places
CREATE INDEX by_latitude ON places (latitude);
