FROM python:3.13
ENV MAPS_API_KEY=key-5d1e9a7c40b83f26
WORKDIR /app
COPY . .
RUN apt-get update
RUN apt-get install -y sqlite3
RUN pip install -r requirements.txt
RUN cc -O2 -shared -fPIC -o libdistance.so native/distance.c -lm
RUN python make_places.py > places.csv
RUN sqlite3 places.db < import.sql
RUN rm places.csv
RUN useradd app && chown -R app /app
USER app
CMD ["python", "app.py"]
