FROM python:3.13 AS work
RUN apt-get update \
 && apt-get install -y --no-install-recommends sqlite3 \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /app
COPY native native
RUN cc -O2 -shared -fPIC -o libdistance.so native/distance.c -lm
COPY make_places.py import.sql ./
RUN python make_places.py > places.csv \
 && sqlite3 places.db < import.sql \
 && rm places.csv

FROM python:3.13-slim
RUN useradd app
WORKDIR /app
COPY requirements.txt .
RUN pip install --no-cache-dir -r requirements.txt
COPY --from=work /app/libdistance.so /app/places.db ./
COPY app.py .
USER app
CMD ["python", "app.py"]
