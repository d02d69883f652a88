def test_smoke(client_of, ada):
    response = client_of(ada).get("/team/")
    assert response.status_code == 200
