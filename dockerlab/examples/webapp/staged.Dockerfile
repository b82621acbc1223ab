FROM python:3.13 AS builder
WORKDIR /app
COPY requirements.txt .
RUN pip install --no-cache-dir --target /packages -r requirements.txt
COPY . .
RUN python -m compileall -b .

FROM python:3.13-slim
WORKDIR /app
ENV PYTHONPATH=/packages
COPY --from=builder /packages /packages
COPY --from=builder /app/templates templates
COPY --from=builder /app/*.pyc .
CMD ["python", "app.pyc"]
